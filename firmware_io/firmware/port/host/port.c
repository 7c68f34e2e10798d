/* The firmware as a program: its serial line is a pseudo-terminal whose path is printed on stdout. In energy mode a
 * second line tells a second one, which gets a byte `T` for every edge. */
#define _XOPEN_SOURCE 600
#include "port/port.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 256
#define PATH_BYTES 64

typedef struct {
    int ours;              /* this end */
    char path[PATH_BYTES]; /* of the other end */
} terminal;

static terminal line, events;
static bool announced; /* the paths have been printed */
static struct timespec boot;

static void stop_with(const char *what) {
    fprintf(stderr, "edgekws firmware: %s: %s\n", what, strerror(errno));
    _exit(1);
}

/* The parent holds the other end of stdin: when that closes, this process ends, even during an inference. */
static void *end_with_stdin(void *unused) {
    char ignored[64];
    ssize_t got;
    do {
        got = read(STDIN_FILENO, ignored, sizeof ignored);
    } while (got > 0 || (got < 0 && errno == EINTR));
    _exit(0);
    return unused;
}

static void make_raw(int device) {
    struct termios mode;
    if (tcgetattr(device, &mode) != 0) {
        stop_with("pseudo-terminal without a mode");
    }
    mode.c_iflag = 0;
    mode.c_oflag = 0;
    mode.c_lflag = 0;
    mode.c_cflag = CS8 | CREAD | CLOCAL;
    mode.c_cc[VMIN] = 1;
    mode.c_cc[VTIME] = 0;
    if (tcsetattr(device, TCSANOW, &mode) != 0) {
        stop_with("pseudo-terminal not raw");
    }
}

static terminal opened(int flags) {
    terminal made = {.ours = posix_openpt(O_RDWR | O_NOCTTY | flags)};
    if (made.ours < 0 || grantpt(made.ours) != 0 || unlockpt(made.ours) != 0) {
        stop_with("no pseudo-terminal");
    }
    const char *path = ptsname(made.ours);
    if (path == NULL || strlen(path) >= PATH_BYTES) {
        stop_with("pseudo-terminal without a name");
    }
    (void)strcpy(made.path, path);
    /* Never closed: without a holder of the other end, reading ours would fail between two hosts. */
    const int held = open(path, O_RDWR | O_NOCTTY);
    if (held < 0) {
        stop_with("pseudo-terminal cannot be opened");
    }
    make_raw(held);
    return made;
}

void ekw_port_init(void) {
    pthread_t watcher;
    line = opened(0);
    if (EKW_ENERGY_MODE) {
        events = opened(O_NONBLOCK);
    }
    if (pthread_create(&watcher, NULL, end_with_stdin, NULL) != 0) {
        stop_with("no thread");
    }
    clock_gettime(CLOCK_MONOTONIC, &boot);
}

/* Once the boot banner is written: a host that empties the line when it opens it, as pyserial does,
 * then never finds the banner in front of its first answer. */
static void announce(void) {
    printf("%s\n", line.path);
    if (EKW_ENERGY_MODE) {
        printf("%s\n", events.path);
    }
    fflush(stdout);
    announced = true;
}

int ekw_port_getc(void) {
    unsigned char byte;
    ssize_t got;
    if (!announced) {
        announce();
    }
    do {
        got = read(line.ours, &byte, 1);
    } while (got < 0 && errno == EINTR);
    if (got != 1) {
        stop_with("serial line lost");
    }
    return byte;
}

/* The listener of this computer has no microphone, so it never has to look before it reads. */
bool ekw_port_byte_waits(void) {
    return true;
}

static void write_all(const char *bytes, size_t count) {
    while (count > 0) {
        const ssize_t done = write(line.ours, bytes, count);
        if (done < 0 && errno != EINTR) {
            stop_with("serial line lost");
        }
        bytes += done > 0 ? done : 0;
        count -= done > 0 ? (size_t)done : 0;
    }
}

void ekw_port_putc(char c) {
    static char text[LINE_BYTES];
    static size_t used;
    text[used++] = c;
    if (c == '\n' || used == LINE_BYTES) {
        write_all(text, used);
        used = 0;
    }
}

/* Lines are written as a whole. */
void ekw_port_flush(void) {
}

/* As with a pin, an unobserved edge is lost: the terminal is full only after thousands of unread ones. */
void ekw_port_event(char byte) {
    ssize_t done;
    do {
        done = write(events.ours, &byte, 1);
    } while (done < 0 && errno == EINTR);
    if (done < 0 && errno != EAGAIN) {
        stop_with("event channel lost");
    }
}

void ekw_port_edge(void) {
    ekw_port_event('T');
}

uint64_t ekw_port_ticks(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const int64_t seconds = (int64_t)(now.tv_sec - boot.tv_sec);
    return (uint64_t)(seconds * (int64_t)EKW_TIMER_HZ + (now.tv_nsec - boot.tv_nsec));
}

/* The stack of a host program is large and cannot be painted. */
uint32_t ekw_port_stack_size(void) {
    return 0;
}

uint32_t ekw_port_stack_used(void) {
    return 0;
}

/* A program in a file, not an image in flash memory. */
void ekw_port_image(ekw_span parts[EKW_IMAGE_PARTS]) {
    memset(parts, 0, EKW_IMAGE_PARTS * sizeof parts[0]);
}
