/*
 * The course of a migration: when which phase was, and how the memory went meanwhile, as a table and as a time line.
 *
 * The object notes the end of each phase, and the progress each time it learns of it, but not more often than every 20 ms. When there is no
 * more room every other note of the progress is dropped, so that a long migration is as well covered as a short one.
 */
#include "migration.h"

#include <stdint.h>
#include <stdio.h>

#define VIRT_FROM VIR_FROM_NONE

#define VIRT_TRACE_INTERVAL 20000          /* us */
#ifndef VIRT_TRACE_STALL                   /* a test has no patience */
# define VIRT_TRACE_STALL   5000000        /* us without any progress: it is said to have stalled */
#endif

VIRT_INTERNAL void
virMigrationTracePhase(virMigrationPtr m, virMigrationPhase phase, bool failed)
{
    struct virMigrationTrace *trace = &m->trace;

    if (trace->nphases == sizeof(trace->phases) / sizeof(trace->phases[0]))
        return;
    trace->phases[trace->nphases++] = (struct virMigrationMark){ phase, failed, m->entered, virTimeNowUs() };
}

static unsigned long long
virMigrationNumber(virMigrationPtr m, const char *name)
{
    unsigned long long value = 0;
    int number = 0;

    if (virTypedParamsGetULLong(m->stats, m->nstats, name, &value) == 1)
        return value;
    return virTypedParamsGetInt(m->stats, m->nstats, name, &number) == 1 && number > 0 ? (unsigned long long)number : 0;
}

/* Room for one more. */
static bool
virMigrationTraceGrow(struct virMigrationTrace *trace)
{
    size_t most = sizeof(trace->samples[0]) * VIRT_TRACE_SAMPLES;

    if (trace->samples == NULL && (trace->samples = malloc(most)) == NULL)
        return false;                 /* a trace is not worth an error */
    if (trace->nsamples == VIRT_TRACE_SAMPLES) {
        for (size_t i = 0; i < VIRT_TRACE_SAMPLES / 2; i++)
            trace->samples[i] = trace->samples[2 * i];
        trace->nsamples = VIRT_TRACE_SAMPLES / 2;
    }
    return true;
}

VIRT_INTERNAL void
virMigrationTraceStats(virMigrationPtr m)
{
    struct virMigrationTrace *trace = &m->trace;
    unsigned long long page = virMigrationNumber(m, VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE), now = virTimeNowUs(), moved;
    int max = m->nstats;

    moved = virMigrationNumber(m, VIR_DOMAIN_JOB_MEMORY_PROCESSED) + virMigrationNumber(m, VIR_DOMAIN_JOB_DISK_PROCESSED);
    if (moved != trace->moved || trace->movedAt == 0 || m->phase != VIR_MIGRATION_PHASE_PERFORM) {
        trace->moved = moved;
        trace->movedAt = now;
    }
    virTypedParamsAddBoolean(&m->stats, &m->nstats, &max, VIR_DOMAIN_JOB_STALLED, now - trace->movedAt > VIRT_TRACE_STALL);
    if ((trace->nsamples > 0 && now - trace->samples[trace->nsamples - 1].at < VIRT_TRACE_INTERVAL) || !virMigrationTraceGrow(trace))
        return;
    trace->samples[trace->nsamples++] = (struct virMigrationSample){
        .at = now,
        .iteration = virMigrationNumber(m, VIR_DOMAIN_JOB_MEMORY_ITERATION),
        .sent = moved,
        .memoryLeft = virMigrationNumber(m, VIR_DOMAIN_JOB_MEMORY_REMAINING),
        .diskLeft = virMigrationNumber(m, VIR_DOMAIN_JOB_DISK_REMAINING),
        .rate = virMigrationNumber(m, VIR_DOMAIN_JOB_MEMORY_BPS),
        .dirtied = virMigrationNumber(m, VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE) * (page != 0 ? page : 4096),
    };
}

static const char *
virTraceOutcome(virMigrationPtr m)
{
    static const char *const outcomes[VIR_MIGRATION_OUTCOME_LAST] = {
        [VIR_MIGRATION_OUTCOME_NONE] = "not over", [VIR_MIGRATION_OUTCOME_MIGRATED] = "migrated",
        [VIR_MIGRATION_OUTCOME_ROLLED_BACK] = "rolled back", [VIR_MIGRATION_OUTCOME_UNDECIDED] = "undecided",
        [VIR_MIGRATION_OUTCOME_LOST] = "lost",
    };

    return outcomes[m->outcome];
}

/* ---- as a table ---- */

/* Milliseconds with three decimals, without printf's floating point, which follows the application's locale. */
struct virTraceMs { char text[32]; };

static const char *
virTraceMs(struct virTraceMs *ms, unsigned long long from, unsigned long long to)
{
    unsigned long long us = to > from ? to - from : 0;

    snprintf(ms->text, sizeof(ms->text), "%llu.%03llu", us / 1000, us % 1000);
    return ms->text;
}

static void
virTraceRow(virMigrationPtr m, struct virText *out, unsigned long long zero, const struct virMigrationMark *mark, const char *how)
{
    struct virTraceMs from, length;

    virTextAdd(out, "%-9s %-12s %12s %12s  %s\n", virMigrationPhaseGetName(mark->phase),
               m->info[mark->phase].side == VIR_MIGRATION_SIDE_SOURCE ? "source" : "destination", virTraceMs(&from, zero, mark->from),
               virTraceMs(&length, mark->from, mark->to), how);
}

static void
virTraceSamples(virMigrationPtr m, struct virText *out, unsigned long long zero)
{
    const struct virMigrationTrace *trace = &m->trace;

    virTextAdd(out, "\n%12s %9s %14s %14s %14s %14s %14s\n", "at ms", "iteration", "sent bytes", "memory left", "disk left", "sent/s",
               "dirtied/s");
    for (size_t i = 0; i < trace->nsamples; i++) {
        const struct virMigrationSample *s = &trace->samples[i];
        struct virTraceMs at;

        virTextAdd(out, "%12s %9llu %14llu %14llu %14llu %14llu %14llu\n", virTraceMs(&at, zero, s->at), s->iteration, s->sent, s->memoryLeft,
                   s->diskLeft, s->rate, s->dirtied);
    }
    virTextAdd(out, "\ndowntime %llu ms\n", virMigrationNumber(m, VIR_DOMAIN_JOB_DOWNTIME));
}

/* The phases, the one at work too; how it ended, and why, if not well; and what moved, if anything did. */
static void
virTraceTable(virMigrationPtr m, struct virText *out, unsigned long long zero)
{
    const struct virMigrationTrace *trace = &m->trace;
    const struct virMigrationMark now = { m->phase, false, m->entered, virTimeNowUs() };

    virTextAdd(out, "%-9s %-12s %12s %12s  %s\n", "phase", "side", "from ms", "for ms", "");
    for (size_t i = 0; i < trace->nphases; i++)
        virTraceRow(m, out, zero, &trace->phases[i], trace->phases[i].failed ? "failed" : "");
    if (m->phase != VIR_MIGRATION_PHASE_OVER && m->entered != 0)
        virTraceRow(m, out, zero, &now, "at work");
    if (m->error.code != VIR_ERR_OK)
        virTextAdd(out, "%-9s %s\n", "error", m->error.message != NULL ? m->error.message : "no memory to keep it");
    virTextAdd(out, "%-9s %s\n", "outcome", virTraceOutcome(m));
    if (trace->nsamples > 0)
        virTraceSamples(m, out, zero);
    else
        virTextAdd(out, "nothing has moved\n");
}

/* ---- as a picture ---- */

#define SVG_LEFT   90
#define SVG_WIDTH  800
#define SVG_TOP    90                      /* of the chart */
#define SVG_HEIGHT 240

struct virTracePicture {
    struct virText *out;
    unsigned long long zero, span;         /* us */
};

static int
virTraceX(const struct virTracePicture *p, unsigned long long at)
{
    return SVG_LEFT + (int)((at > p->zero ? (double)(at - p->zero) : 0) * SVG_WIDTH / (double)p->span);
}

static void
virTracePhases(const struct virTracePicture *p, virMigrationPtr m)
{
    for (size_t i = 0; i < m->trace.nphases; i++) {
        const struct virMigrationMark *mark = &m->trace.phases[i];
        bool source = m->info[mark->phase].side == VIR_MIGRATION_SIDE_SOURCE;
        int x = virTraceX(p, mark->from), width = virTraceX(p, mark->to) - x;
        struct virTraceMs length;

        virTextAdd(p->out, "<rect x='%d' y='%d' width='%d' height='20' fill='%s'><title>%s, %s: %s ms%s</title></rect>\n", x,
                   source ? 30 : 54, width < 1 ? 1 : width, mark->failed ? "#c0392b" : source ? "#2e86c1" : "#28a05c",
                   virMigrationPhaseGetName(mark->phase), source ? "source" : "destination",
                   virTraceMs(&length, mark->from, mark->to), mark->failed ? ", failed" : "");
        if (width > 50)
            virTextAdd(p->out, "<text x='%d' y='%d' fill='white'>%s</text>\n", x + 4, source ? 44 : 68, virMigrationPhaseGetName(mark->phase));
    }
}

static unsigned long long
virTraceValue(const struct virMigrationSample *s, int line)
{
    switch (line) {
    case 0: return s->memoryLeft;
    case 1: return s->diskLeft;
    case 2: return s->rate;
    default: return s->dirtied;
    }
}

/* One line of the chart, as high as its group's greatest value: what is left, or how fast. */
static void
virTraceLine(const struct virTracePicture *p, virMigrationPtr m, int line, const char *colour, unsigned long long most)
{
    virTextAdd(p->out, "<polyline fill='none' stroke='%s' stroke-width='1.5' points='", colour);
    for (size_t i = 0; i < m->trace.nsamples; i++)
        virTextAdd(p->out, "%d,%d ", virTraceX(p, m->trace.samples[i].at),
                   SVG_TOP + (int)(SVG_HEIGHT * (1 - (double)virTraceValue(&m->trace.samples[i], line) / (double)most)));
    virTextAdd(p->out, "'/>\n");
}

static unsigned long long
virTraceMost(virMigrationPtr m, int line)
{
    unsigned long long most = 1;

    for (size_t i = 0; i < m->trace.nsamples; i++)
        for (int k = line; k < line + 2; k++)
            if (virTraceValue(&m->trace.samples[i], k) > most)
                most = virTraceValue(&m->trace.samples[i], k);
    return most;
}

static void
virTraceChart(const struct virTracePicture *p, virMigrationPtr m)
{
    static const struct { const char *name, *colour; } lines[] = {
        { "memory left", "#7d3c98" }, { "disk left", "#935116" }, { "sent per second", "#2e86c1" }, { "dirtied per second", "#e67e22" },
    };
    unsigned long long iteration = 0, left = virTraceMost(m, 0), speed = virTraceMost(m, 2);

    for (size_t i = 0; i < m->trace.nsamples; i++) {
        if (m->trace.samples[i].iteration == iteration)
            continue;
        iteration = m->trace.samples[i].iteration;
        virTextAdd(p->out, "<line x1='%d' x2='%d' y1='%d' y2='%d' stroke='#ddd'/><text x='%d' y='%d' fill='#999'>%llu</text>\n",
                   virTraceX(p, m->trace.samples[i].at), virTraceX(p, m->trace.samples[i].at), SVG_TOP, SVG_TOP + SVG_HEIGHT,
                   virTraceX(p, m->trace.samples[i].at) + 2, SVG_TOP + SVG_HEIGHT - 4, iteration);
    }
    for (int line = 0; line < 4; line++) {
        virTraceLine(p, m, line, lines[line].colour, line < 2 ? left : speed);
        virTextAdd(p->out, "<text x='%d' y='%d' fill='%s'>%s</text>\n", SVG_LEFT + line * 150, SVG_TOP + SVG_HEIGHT + 36, lines[line].colour,
                   lines[line].name);
    }
    virTextAdd(p->out, "<text x='4' y='%d'>%llu KiB</text><text x='4' y='%d'>%llu KiB/s</text>\n", SVG_TOP + 10, left / 1024,
               SVG_TOP + 26, speed / 1024);
}

/* The CPUs stood until Finish was over, or until the source had them back. */
static void
virTraceDowntime(const struct virTracePicture *p, virMigrationPtr m)
{
    unsigned long long downtime = virMigrationNumber(m, VIR_DOMAIN_JOB_DOWNTIME) * 1000, end = 0;

    for (size_t i = 0; i < m->trace.nphases; i++)
        if (m->trace.phases[i].phase == VIR_MIGRATION_PHASE_FINISH)
            end = m->trace.phases[i].to;
    if (m->outcome != VIR_MIGRATION_OUTCOME_MIGRATED || downtime == 0 || end < p->zero + downtime)
        return;
    virTextAdd(p->out, "<rect x='%d' y='%d' width='%d' height='%d' fill='#c0392b' opacity='0.25'><title>downtime %llu ms</title></rect>\n",
               virTraceX(p, end - downtime), SVG_TOP, virTraceX(p, end) - virTraceX(p, end - downtime) + 1, SVG_HEIGHT, downtime / 1000);
}

static void
virTraceSvg(virMigrationPtr m, struct virText *out, unsigned long long zero, unsigned long long end)
{
    struct virTracePicture p = { out, zero, end > zero ? end - zero : 1 };
    struct virTraceMs whole, at;

    virTextAdd(out, "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' font-family='sans-serif' font-size='11'>\n"
               "<rect width='100%%' height='100%%' fill='white'/>\n<text x='4' y='18'>migration %s: %s ms</text>\n"
               "<text x='4' y='44'>source</text><text x='4' y='68'>destination</text>\n", SVG_LEFT + SVG_WIDTH + 20,
               SVG_TOP + SVG_HEIGHT + 50, m->uuid, virTraceMs(&whole, zero, end));
    virTextAdd(out, "<text x='400' y='18' fill='%s'>%s", m->error.code != VIR_ERR_OK ? "#c0392b" : "black", virTraceOutcome(m));
    if (m->error.code != VIR_ERR_OK) {
        virTextAdd(out, ": ");
        virTextAddXml(out, m->error.message);
    }
    virTextAdd(out, "</text>\n");
    virTraceDowntime(&p, m);
    virTraceChart(&p, m);
    virTracePhases(&p, m);
    for (int tick = 0; tick <= 4; tick++)
        virTextAdd(out, "<text x='%d' y='%d' fill='#666'>%s ms</text>\n", SVG_LEFT + tick * (SVG_WIDTH - 50) / 4, SVG_TOP + SVG_HEIGHT + 16,
                   virTraceMs(&at, 0, p.span * (unsigned int)tick / 4));
    virTextAdd(out, "</svg>\n");
}

char *
virMigrationGetTrace(virMigrationPtr m, unsigned int flags)
{
    struct virText out = { 0 };
    unsigned long long zero, end;
    char *text;

    if (!virMigrationIs(__func__, m))
        return NULL;
    if ((flags & ~(unsigned int)VIR_MIGRATION_TRACE_SVG) != 0) {
        virReportUnsupportedFlags(__func__, flags & ~(unsigned int)VIR_MIGRATION_TRACE_SVG);
        virErrorDispatch(NULL);
        return NULL;
    }
    pthread_mutex_lock(&m->lock);
    zero = m->trace.nphases > 0 ? m->trace.phases[0].from : m->entered;
    end = m->trace.nphases > 0 ? m->trace.phases[m->trace.nphases - 1].to : zero;
    if (m->trace.nsamples > 0 && m->trace.samples[m->trace.nsamples - 1].at > end)
        end = m->trace.samples[m->trace.nsamples - 1].at;
    if ((flags & VIR_MIGRATION_TRACE_SVG) != 0)
        virTraceSvg(m, &out, zero, end);
    else
        virTraceTable(m, &out, zero);
    text = virTextTake(&out);
    pthread_mutex_unlock(&m->lock);
    if (text == NULL)
        virErrorDispatch(NULL);
    return text;
}

#undef SVG_LEFT
#undef SVG_WIDTH
#undef SVG_TOP
#undef SVG_HEIGHT
#undef VIRT_TRACE_INTERVAL
#undef VIRT_TRACE_STALL
#undef VIRT_FROM
