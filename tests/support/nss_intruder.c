/* A module of the system's resolver (NSS) that ends every program that loads it. */
#include <unistd.h>

__attribute__((constructor)) static void intrude(void) {
    static const char word[] = "intruder\n";
    if (write(2, word, sizeof word - 1)) {
    }
    _exit(99);
}
