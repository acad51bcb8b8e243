/* Lists of what is wrong: see problems.h. */
#include "problems.h"
#include "text.h"

static int
virProblemsAdd(struct virProblems *problems, const char *text)
{
    char **more = realloc(problems->texts, (problems->count + 2) * sizeof(*more)), *copy;

    if (more == NULL)
        return virReportNoMemory();
    problems->texts = more;
    more[problems->count] = NULL;
    if (text == NULL)
        return 0;
    if ((copy = virStringCopy(text)) == NULL)
        return -1;
    more[problems->count++] = copy;
    more[problems->count] = NULL;
    return 0;
}

VIRT_INTERNAL int
virProblemsNote(struct virProblems *problems)
{
    virErrorPtr error = virGetLastError();

    if (problems == NULL || error == NULL || error->code == VIR_ERR_NO_MEMORY
        || virProblemsAdd(problems, error->message != NULL ? error->message : "unknown") < 0)
        return -1;
    virResetLastError();
    return 0;
}

VIRT_INTERNAL void
virProblemsClear(struct virProblems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        free(problems->texts[i]);
    free(problems->texts);
    memset(problems, 0, sizeof(*problems));
}

VIRT_INTERNAL int
virProblemsGive(struct virProblems *problems, char ***texts)
{
    int n = (int)problems->count;

    if (virProblemsAdd(problems, NULL) < 0) {      /* also an empty list has its NULL */
        virProblemsClear(problems);
        return -1;
    }
    *texts = problems->texts;
    memset(problems, 0, sizeof(*problems));
    return n;
}

VIRT_INTERNAL int
virProblemsTake(struct virProblems *problems, char **texts, int n)
{
    int rc = 0;

    for (int i = 0; i < n; i++) {
        if (rc == 0)
            rc = virProblemsAdd(problems, texts[i]);
        free(texts[i]);
    }
    free(texts);
    return rc;
}
