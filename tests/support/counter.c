// Prints pairs of the processor's counter and the system's clock (nanoseconds since 1970), as ClockBound reads them.
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
static uint64_t counter(void) {
    _mm_lfence();
    uint64_t ticks = __rdtsc();
    _mm_lfence();
    return ticks;
}
#elif defined(__aarch64__)
static uint64_t counter(void) {
    uint64_t ticks;
    __asm__ volatile("isb; mrs %0, cntvct_el0; isb" : "=r"(ticks));
    return ticks;
}
#endif

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

// The pair whose two readings of the clock were the closest together.
static void print_pair(void) {
    uint64_t best = UINT64_MAX, ticks = 0, time = 0;
    for (int attempt = 0; attempt < 100; attempt++) {
        uint64_t before = now(), between = counter(), after = now();
        if (after - before < best) {
            best = after - before;
            ticks = between;
            time = before + (after - before) / 2;
        }
    }
    printf("%llu %llu\n", (unsigned long long)ticks, (unsigned long long)time);
}

int main(void) {
    struct timespec pause = {0, 500000000};
    print_pair();
    nanosleep(&pause, 0);
    print_pair();
    return 0;
}
