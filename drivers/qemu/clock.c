/*
 * The guest's clock and timers. What the clock begins with is the -rtc option; timers are properties of the machine, of the CPU or of KVM.
 */
#include "machine.h"

#include <stdio.h>
#include <time.h>

#define VIRT_FROM VIR_FROM_QEMU

static xmlNodePtr
qemuClockTimer(struct qemuCommand *command, const char *name)
{
    xmlNodePtr clock = virXmlFind(virXmlRoot(command->doc), "clock");

    QEMU_PEEK_EACH(timer, clock, "timer")
        if (qemuPeekIs(timer, "name", name))
            return timer;
    return NULL;
}

/* 1 present, 0 not, -1 nothing is said, -2 malformed. */
static int
qemuTimerPresent(xmlNodePtr timer)
{
    bool present = true;
    int rc;

    if (timer == NULL)
        return -1;
    virXmlString(timer, "@name");
    rc = virXmlBool(timer, "@present", &present);
    return rc < 0 ? -2 : rc == 0 ? -1 : present;
}

VIRT_INTERNAL int
qemuClockMachineOptions(struct qemuCommand *command, struct virText *text)
{
    struct qemuMachine machine = qemuMachineOf(command->doc);
    int present;

    if (machine.family != QEMU_MACHINE_PC && machine.family != QEMU_MACHINE_Q35)
        return 0;
    if ((present = qemuTimerPresent(qemuClockTimer(command, "hpet"))) < -1)
        return -1;
    if (present >= 0)
        virTextAdd(text, ",hpet=%s", present ? "on" : "off");
    return 0;
}

VIRT_INTERNAL int
qemuClockCpuOptions(struct qemuCommand *command, struct virText *text)
{
    static const char *const timers[][2] = { { "kvmclock", "kvmclock" }, { "hypervclock", "hv-time" } };
    struct qemuMachine machine = qemuMachineOf(command->doc);
    xmlNodePtr tsc = qemuClockTimer(command, "tsc"), arm = qemuClockTimer(command, "armvtimer");
    unsigned long long frequency = 0;

    for (size_t i = 0; qemuIsKvm(command->doc) && machine.x86 && i < sizeof(timers) / sizeof(timers[0]); i++) {
        int present = qemuTimerPresent(qemuClockTimer(command, timers[i][0]));

        if (present < -1)
            return -1;
        if (present >= 0 && (present || i == 0))
            virTextAdd(text, ",%s=%s", timers[i][1], present ? "on" : "off");
    }
    if (tsc != NULL && machine.x86) {
        virXmlString(tsc, "@name");
        if (virXmlULongLong(tsc, "@frequency", &frequency) < 0)
            return -1;
        if (frequency != 0)
            virTextAdd(text, ",tsc-frequency=%llu", frequency);
    }
    if (arm != NULL && machine.family == QEMU_MACHINE_VIRT && machine.arm) {
        const char *policy = virXmlString(arm, "@tickpolicy");

        virXmlString(arm, "@name");
        if (policy != NULL)
            virTextAdd(text, ",kvm-no-adjvtime=%s", strcmp(policy, "discard") == 0 ? "off" : "on");
    }
    return 0;
}

/* ---------- -rtc ---------- */

static int
qemuClockAddDate(long long seconds, bool local, struct virText *text)
{
    time_t when = (time_t)seconds;
    struct tm tm;

    if ((local ? localtime_r(&when, &tm) : gmtime_r(&when, &tm)) == NULL)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "clock: %lld seconds since 1970 is no date", seconds);
    virTextAdd(text, "base=%d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    return 0;
}

static int
qemuClockAddBase(struct qemuCommand *command, xmlNodePtr clock, struct virText *text)
{
    const char *offset = clock != NULL ? virXmlString(clock, "@offset") : NULL, *zone;
    const char *adjustment = clock != NULL ? virXmlString(clock, "@adjustment") : NULL;
    unsigned long long start = 0;
    int seconds = 0;

    if (offset == NULL)
        offset = "utc";
    if (adjustment != NULL && strcmp(adjustment, "reset") != 0 && virXmlInt(clock, "@adjustment", &seconds) < 0)
        return -1;
    if (strcmp(offset, "variable") == 0 || (seconds != 0 && strcmp(offset, "utc") == 0))
        return qemuClockAddDate((long long)time(NULL) + seconds, clock != NULL && virXmlEquals(clock, "@basis", "localtime"), text);
    if (strcmp(offset, "absolute") == 0) {
        if (virXmlULongLong(clock, "@start", &start) < 0)
            return -1;
        return qemuClockAddDate((long long)start, false, text);
    }
    if (strcmp(offset, "timezone") == 0) {
        if ((zone = virXmlNeed(clock, "@timezone")) == NULL ||
            virStringsAdd(&command->env, &command->nenv, virStringFormat("TZ=%s", zone)) < 0)
            return -1;
        offset = "localtime";
    }
    if (strcmp(offset, "utc") != 0 && strcmp(offset, "localtime") != 0)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "unknown clock offset '%s'", offset);
    virTextAdd(text, "base=%s", offset);
    return 0;
}

static int
qemuClockAddRtcTimer(xmlNodePtr rtc, struct virText *text)
{
    const char *track, *policy;

    if (rtc == NULL)
        return 0;
    virXmlString(rtc, "@name");
    virXmlString(rtc, "@present");
    if ((track = virXmlString(rtc, "@track")) != NULL)
        virTextAdd(text, ",clock=%s", strcmp(track, "guest") == 0 ? "vm" : strcmp(track, "realtime") == 0 ? "rt" : "host");
    if ((policy = virXmlString(rtc, "@tickpolicy")) == NULL || strcmp(policy, "delay") == 0)
        return 0;
    if (strcmp(policy, "catchup") != 0)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "timer 'rtc': tickpolicy '%s' cannot be had from QEMU", policy);
    virTextAdd(text, ",driftfix=slew");
    return 0;
}

/* KVM's interval timer: "delay" is its default, "discard" drops lost ticks. QEMU's own, without KVM, has no policy. */
static int
qemuClockAddPit(struct qemuCommand *command)
{
    xmlNodePtr pit = qemuClockTimer(command, "pit");
    const char *policy;

    if (pit == NULL || !qemuIsKvm(command->doc) || !qemuMachineOf(command->doc).x86)
        return 0;
    virXmlString(pit, "@name");
    if ((policy = virXmlString(pit, "@tickpolicy")) == NULL || strcmp(policy, "catchup") == 0)
        return 0;
    if (strcmp(policy, "delay") != 0 && strcmp(policy, "discard") != 0)
        return virReportError(VIR_ERR_CONFIG_UNSUPPORTED, "timer 'pit': tickpolicy '%s' cannot be had from QEMU", policy);
    return qemuCommandAddFormat(command, "-global", "kvm-pit.lost_tick_policy=%s", policy);
}

VIRT_INTERNAL int
qemuAddClock(struct qemuCommand *command)
{
    xmlNodePtr clock = virXmlFind(virXmlRoot(command->doc), "clock");
    struct virText text = { 0 };

    if (qemuClockAddBase(command, clock, &text) < 0 || qemuClockAddRtcTimer(qemuClockTimer(command, "rtc"), &text) < 0 ||
        qemuCommandAdd(command, "-rtc") < 0) {
        virTextFree(&text);
        return -1;
    }
    return virStringsAdd(&command->argv, &command->argc, virTextTake(&text)) < 0 || qemuClockAddPit(command) < 0 ? -1 : 0;
}

#undef VIRT_FROM
