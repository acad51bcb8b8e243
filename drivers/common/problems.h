/*
 * A list of all that is wrong, for functions that otherwise stop at the first error: each failure is set as an error, as everywhere, and then
 * noted here, which takes it from the thread and lets the function go on. Without a list the error stays, and the function stops:
 *
 *     virReportError(...);
 *     if (virProblemsNote(problems) < 0)
 *         return -1;
 */
#ifndef VIRT_COMMON_PROBLEMS_H
#define VIRT_COMMON_PROBLEMS_H

#include "../driver.h"

struct virProblems {
    char **texts;                     /* count of them, and a NULL */
    size_t count;
};

/* Takes the thread's error as one more problem. 0; or -1 with an error set: problems is NULL, or there was no memory (to be passed on). */
VIRT_INTERNAL int virProblemsNote(struct virProblems *problems);
VIRT_INTERNAL void virProblemsClear(struct virProblems *problems);
/* What a slot answers: the list becomes *texts, which ends with a NULL, and its length the result. -1: no memory; it is cleared. */
VIRT_INTERNAL int virProblemsGive(struct virProblems *problems, char ***texts);
/* One from a slot's answer is moved over, and the answer freed. */
VIRT_INTERNAL int virProblemsTake(struct virProblems *problems, char **texts, int n);

#endif
