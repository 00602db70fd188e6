/* Moves the clocks of the program that it is preloaded into, once a file appears: what a suspension of the machine, or
 * somebody who sets its clock, looks like to a program. The monotonic clock is left alone, as the kernel leaves it.
 *
 *   SHIFT_WHEN             the file
 *   SHIFT_REALTIME         seconds that the wall clock is ahead from then on
 *   SHIFT_REALTIME_BEFORE  seconds that it is ahead until then
 *   SHIFT_BOOTTIME         seconds that the time since boot is ahead from then on
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int has_happened(void) {
    static volatile int seen;
    if (!seen) {
        const char *file = getenv("SHIFT_WHEN");
        seen = file != NULL && access(file, F_OK) == 0;
    }
    return seen;
}

static time_t seconds(const char *name) {
    const char *text = getenv(name);
    return text == NULL ? 0 : (time_t)strtol(text, NULL, 10);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result != 0) return result;
    if (clock == CLOCK_REALTIME) now->tv_sec += seconds(has_happened() ? "SHIFT_REALTIME" : "SHIFT_REALTIME_BEFORE");
    if (clock == CLOCK_BOOTTIME && has_happened()) now->tv_sec += seconds("SHIFT_BOOTTIME");
    return result;
}
