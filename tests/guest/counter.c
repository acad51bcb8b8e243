/*
 * The counting guest: one decimal number a line on the first serial port, for ever; and memory that
 * changes at a chosen pace and is checked before each number, so that a migration which loses,
 * repeats or corrupts anything shows on the serial line.
 *
 * On request it also writes each number to a sector of its first IDE disk, round and round, and
 * checks what it wrote there a round before; tests/counting.h looks at it from outside.
 *
 * Lines that are not numbers: "CORRUPT page P holds V, expected E", the same of a sector, "got N" for a
 * byte that came by the serial line, and, when it was asked to end (power button, or after so many
 * numbers), "power off", "reboot" or "panic".
 *
 * The parameters stand at offset 512 of the image; mkguest changes them.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

enum { END_NONE, END_POWEROFF, END_REBOOT, END_PANIC, END_HALT };

/* All of this is what mkguest knows, in this order. */
struct counterParams {
    char magic[8];          /* offset 512 */
    u32 divisor;            /* 520: of the timer's 1193182 Hz: the length of a tick */
    u32 countEvery;         /* 524: ticks to a number */
    u32 dirtyPages;         /* 528: pages of 4 KiB that are written again and again */
    u32 dirtyEvery;         /* 532: ticks from one round of writing to the next */
    u32 fillPages;          /* 536: further pages, written once at the start */
    u32 after;              /* 540: so many numbers, 0 for ever, */
    u32 then;               /* 544: and then END_... */
    u32 button;             /* 548: what the power button does, END_... */
    u32 sectors;            /* 552: of the disk, that are written in turn; 0: none */
};

__attribute__((section(".params"), used)) volatile struct counterParams counterParams = {
    { 'V', 'I', 'R', 'T', 'G', 'S', 'T', '1' }, 11932, 1, 2048, 25, 0, 0, END_NONE, END_POWEROFF, 0,
};

#define PAGES_AT      0x200000u         /* dirty pages from 2 MiB on, the filled ones after them */
#define CHECK_DIRTY   2048u             /* pages looked at before each number, in turn */
#define CHECK_FILLED  256u
#define ACPI_PM       0x600             /* where SeaBIOS puts the power management ports, pc and q35 */
#define SERIAL        0x3f8
#define CORRUPT_MAX   20                /* lines about corruption; one is enough to fail a test */

volatile u32 counterTicks;
static u32 counterRound, counterNextDirty, counterNextFilled, counterCorrupt;
static struct { u16 low, selector, flags, high; } counterIdt[0x21];
void timerInterrupt(void);
void counterMain(void);

static void
outb(u16 port, u8 value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void
outw(u16 port, u16 value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static u8
inb(u16 port)
{
    u8 value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static u16
inw(u16 port)
{
    u16 value;

    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

/* ---- the serial line ---- */

static void
put(char c)
{
    while ((inb(SERIAL + 5) & 0x20) == 0)
        continue;
    outb(SERIAL, (u8)c);
}

static void
putText(const char *text)
{
    while (*text != '\0')
        put(*text++);
}

static void
putNumber(u32 n)
{
    char digits[10];
    int length = 0;

    do
        digits[length++] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    while (length > 0)
        put(digits[--length]);
}

/* ---- memory: each page has the same number at its beginning and, inverted, at its end ---- */

static volatile u32 *
page(u32 index)
{
    return (volatile u32 *)(PAGES_AT + index * 4096u);
}

static u32
pattern(u32 index, u32 round)
{
    return (round + 1) * 0x9e3779b1u ^ index;
}

static void
writePage(u32 index, u32 round)
{
    page(index)[0] = pattern(index, round);
    page(index)[1023] = ~pattern(index, round);
}

static void
checkPage(u32 index, u32 round)
{
    u32 first = page(index)[0], last = ~page(index)[1023], expected = pattern(index, round);

    if ((first == expected && last == expected) || counterCorrupt == CORRUPT_MAX)
        return;
    counterCorrupt++;
    putText("CORRUPT page ");
    putNumber(index);
    putText(" holds ");
    putNumber(first != expected ? first : last);
    putText(", expected ");
    putNumber(expected);
    putText("\r\n");
}

static void
dirtyRound(void)
{
    for (u32 i = 0; i < counterParams.dirtyPages; i++) {
        checkPage(i, counterRound);
        writePage(i, counterRound + 1);
    }
    counterRound++;
}

static void
checkSome(u32 first, u32 count, u32 atMost, u32 *next, u32 round)
{
    for (u32 i = 0; i < count && i < atMost; i++) {
        if (*next >= count)
            *next = 0;
        checkPage(first + (*next)++, round);
    }
}

/* ---- the disk: each sector has its own number, the one that was counted then, and words made of both ---- */

#define DISK      0x1f0
#define DISK_BUSY 0x80
#define DISK_DATA 0x08

static u32
sectorWord(u32 sector, u32 number, u32 i)
{
    return i == 0 ? 0x54524956u : i == 1 ? sector : i == 2 ? number : pattern(sector + i, number);
}

/* Until it has, or takes, data. Nothing here lasts: a disk that fails shows as corruption. */
static void
diskCommand(u8 command, u32 sector)
{
    while ((inb(DISK + 7) & DISK_BUSY) != 0)
        continue;
    outb(DISK + 6, (u8)(0xe0 | (sector >> 24 & 0x0f)));
    outb(DISK + 2, 1);
    outb(DISK + 3, (u8)sector);
    outb(DISK + 4, (u8)(sector >> 8));
    outb(DISK + 5, (u8)(sector >> 16));
    outb(DISK + 7, command);
    for (u32 i = 0; i < 10000000u && (inb(DISK + 7) & (DISK_BUSY | DISK_DATA)) != DISK_DATA; i++)
        continue;
}

static void
checkSector(u32 sector, u32 number)
{
    u32 found = 0, low;

    diskCommand(0x20, sector);
    for (u32 i = 0; i < 128; i++) {
        low = inw(DISK);
        low |= (u32)inw(DISK) << 16;
        if (low != sectorWord(sector, number, i) && found == 0)
            found = low | 1;
    }
    if (found == 0 || counterCorrupt == CORRUPT_MAX)
        return;
    counterCorrupt++;
    putText("CORRUPT sector ");
    putNumber(sector);
    putText(" holds ");
    putNumber(found);
    putText(", expected number ");
    putNumber(number);
    putText("\r\n");
}

static void
diskRound(u32 number)
{
    u32 sector = number % counterParams.sectors;

    if (number >= counterParams.sectors)
        checkSector(sector, number - counterParams.sectors);
    diskCommand(0x30, sector);
    for (u32 i = 0; i < 128; i++) {
        u32 word = sectorWord(sector, number, i);

        outw(DISK, (u16)word);
        outw(DISK, (u16)(word >> 16));
    }
}

/* ---- the end ---- */

static void
end(u32 how)
{
    if (how == END_NONE)
        return;
    putText(how == END_POWEROFF ? "power off\r\n" : how == END_REBOOT ? "reboot\r\n" :
            how == END_PANIC ? "panic\r\n" : "halt\r\n");
    while ((inb(SERIAL + 5) & 0x40) == 0)
        continue;
    if (how == END_POWEROFF)
        outw(ACPI_PM + 4, 0x2000);
    else if (how == END_REBOOT)
        outb(0x64, 0xfe);
    else if (how == END_PANIC)
        outb(0x505, 1);                 /* the isa pvpanic device */
    for (;;)
        __asm__ volatile("cli; hlt");
}

/* The button is asked for at each tick: no need of the ACPI interrupt. Without ACPI all bits are set. */
static void
checkButton(void)
{
    u16 status = inw(ACPI_PM);

    if (status == 0xffff || (status & 0x0100) == 0)
        return;
    outw(ACPI_PM, 0x0100);
    end(counterParams.button);
}

static void
checkInput(void)
{
    u8 status = inb(SERIAL + 5);

    if (status == 0xff || (status & 0x01) == 0)                     /* 0xff: no serial port */
        return;
    putText("got ");
    putNumber(inb(SERIAL));
    putText("\r\n");
}

static void
setUp(void)
{
    struct { u16 size; u32 base; } __attribute__((packed)) idtr = {
        sizeof(counterIdt) - 1, (u32)counterIdt
    };

    outb(SERIAL + 1, 0);
    outb(SERIAL + 3, 0x80);
    outb(SERIAL + 0, 1);                /* 115200 baud */
    outb(SERIAL + 1, 0);
    outb(SERIAL + 3, 0x03);
    outb(SERIAL + 2, 0x07);
    outb(SERIAL + 4, 0x03);

    outb(0x20, 0x11);                   /* interrupt controllers: from 0x20 on, timer alone */
    outb(0xa0, 0x11);
    outb(0x21, 0x20);
    outb(0xa1, 0x28);
    outb(0x21, 0x04);
    outb(0xa1, 0x02);
    outb(0x21, 0x01);
    outb(0xa1, 0x01);
    outb(0x21, 0xfe);
    outb(0xa1, 0xff);

    counterIdt[0x20].low = (u16)(u32)timerInterrupt;
    counterIdt[0x20].selector = 0x08;
    counterIdt[0x20].flags = 0x8e00;
    counterIdt[0x20].high = (u16)((u32)timerInterrupt >> 16);
    __asm__ volatile("lidt %0" : : "m"(idtr));

    outb(0x3f6, 0x02);                  /* the disk's interrupt off: it is asked */
    outb(0x43, 0x34);
    outb(0x40, (u8)counterParams.divisor);
    outb(0x40, (u8)(counterParams.divisor >> 8));
    outw(ACPI_PM, 0x0100);              /* the button's status cleared, its event on */
    outw(ACPI_PM + 2, 0x0100);
}

void
counterMain(void)
{
    u32 number = 0, seen = 0, countDue = 0, dirtyDue = 0;

    setUp();
    for (u32 i = 0; i < counterParams.dirtyPages; i++)
        writePage(i, 0);
    for (u32 i = 0; i < counterParams.fillPages; i++)
        writePage(counterParams.dirtyPages + i, 0);
    for (;;) {
        __asm__ volatile("sti; hlt; cli");
        if (counterTicks == seen)
            continue;
        seen = counterTicks;            /* ticks that came too fast are left out, never numbers */
        checkButton();
        checkInput();
        if (counterParams.dirtyPages > 0 && seen - dirtyDue < 0x80000000u) {
            dirtyRound();
            dirtyDue = seen + counterParams.dirtyEvery;
        }
        if (seen - countDue < 0x80000000u) {
            checkSome(0, counterParams.dirtyPages, CHECK_DIRTY, &counterNextDirty, counterRound);
            checkSome(counterParams.dirtyPages, counterParams.fillPages, CHECK_FILLED,
                      &counterNextFilled, 0);
            if (counterParams.sectors > 0)
                diskRound(number);
            putNumber(number++);
            putText("\r\n");
            countDue = seen + counterParams.countEvery;
            if (number == counterParams.after)
                end(counterParams.then);
        }
    }
}
