/* The four functions that a compiler may call on its own. They must not be turned into calls of
 * themselves, hence the option in build.py. */
#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);
int memcmp(const void *a, const void *b, size_t count);

void *memcpy(void *restrict to, const void *restrict from, size_t count) {
    for (size_t i = 0; i < count; i++) {
        ((unsigned char *)to)[i] = ((const unsigned char *)from)[i];
    }
    return to;
}

void *memmove(void *to, const void *from, size_t count) {
    if ((const unsigned char *)to <= (const unsigned char *)from) {
        return memcpy(to, from, count);
    }
    while (count > 0) {
        count--;
        ((unsigned char *)to)[count] = ((const unsigned char *)from)[count];
    }
    return to;
}

void *memset(void *to, int value, size_t count) {
    for (size_t i = 0; i < count; i++) {
        ((unsigned char *)to)[i] = (unsigned char)value;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const int difference = ((const unsigned char *)a)[i] - ((const unsigned char *)b)[i];
        if (difference != 0) {
            return difference;
        }
    }
    return 0;
}
