#include "app/build_id.h"

#include "app/text.h"

/* The marker occurs once in an image: by it the build finds the 16 bytes to write. */
static const struct {
    char marker[16];
    uint8_t id[EKW_BUILD_ID_BYTES];
} build = {"edgekws-buildid", {0}};

/* The generated C that this image was made of, by its hash. Only in the file: it is not loaded. */
#ifdef EKW_PLAN_SHA256
#ifdef __ELF__
__attribute__((section(".ekw_plan"), used))
#else
__attribute__((used))
#endif
static const char plan_sha256[] = EKW_PLAN_SHA256;
#endif

void ekw_put_build_id(int32_t count) {
    const volatile uint8_t *const id = build.id; /* the compiler must not take them for zeros */
    for (int32_t i = 0; i < count; i++) {
        ekw_put_hex(id[i], 2);
    }
}
