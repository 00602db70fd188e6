/* Preloaded into a program, answers for the kernel how far the wall clock is to be trusted. KERNEL_SAYS is a bound on its
 * error in microseconds, or `unsynchronized`, or `refused` for a kernel that cannot be asked. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>

int ntp_adjtime(struct timex *timex) {
    const char *says = getenv("KERNEL_SAYS");
    memset(timex, 0, sizeof *timex);
    if (says == NULL || strcmp(says, "refused") == 0) {
        errno = EPERM;
        return -1;
    }
    if (strcmp(says, "unsynchronized") == 0) {
        timex->status = STA_UNSYNC;
        timex->maxerror = 16000000;
        return TIME_ERROR;
    }
    timex->maxerror = strtol(says, NULL, 10);
    return TIME_OK;
}
