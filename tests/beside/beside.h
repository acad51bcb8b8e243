/* What each side answers. Six events: defined, started, suspended, resumed, stopped, undefined. */
#ifndef TESTS_BESIDE_BESIDE_H
#define TESTS_BESIDE_BESIDE_H

#include <stddef.h>

#define ANSWER_EVENTS 6

struct answers {
    const char *absent;                     /* the name to look up in vain; each side has its own */
    char file[512];                         /* where the code of its virConnectOpen lies */
    char failure[512];                      /* empty if all went well */
    unsigned long version, memory;
    char type[32], uuid[64], message[256], events[ANSWER_EVENTS][64];
    int vcpus, state, error, guests, closed, nevents;
    size_t asked;                           /* good answers that two threads got */
};

/* Thread functions; the argument is a struct answers. */
void *besideOurs(void *answers);
void *besideTheirs(void *answers);

#endif
