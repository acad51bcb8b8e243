/*
 * How the counting guest starts. The image is a disk (or floppy) whose first sector loads the rest,
 * and at the same time a multiboot kernel for `qemu -kernel` or <os><kernel>, which is entered in
 * protected mode at once. Either way it lies at 0x7c00 and goes on in counter.c.
 */
        .section .boot, "ax"
        .code16
        .globl  _start
_start: ljmp    $0, $real
real:   cli
        cld
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $0x7c00, %sp
        sti
        movw    $5, %di                 /* a floppy drive may need several attempts */
load:   movw    $0x0200 + IMAGE_SECTORS - 1, %ax
        movw    $0x0002, %cx            /* cylinder 0, sector 2; these fit one track of anything */
        xorb    %dh, %dh                /* head 0; drive still in dl */
        movw    $0x7e00, %bx
        int     $0x13
        jnc     loaded
        xorb    %ah, %ah
        int     $0x13
        decw    %di
        jnz     load
        movw    $0x0e21, %ax            /* "!" */
        int     $0x10
        hlt
loaded: cli
        lgdt    gdtr
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmp    $0x08, $protected

        .balign 4
multiboot:                              /* magic, flags (addresses below are valid), checksum */
        .long   0x1badb002, 0x00010000, -(0x1badb002 + 0x00010000)
        .long   multiboot, _start, image_end, bss_end, kernel

        .code32
kernel: cli
        cld
        lgdt    gdtr
        ljmp    $0x08, $protected
protected:
        movw    $0x10, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %fs
        movw    %ax, %gs
        movw    %ax, %ss
        movl    $0x7c00, %esp
        movl    $bss_start, %edi
        movl    $bss_end, %ecx
        subl    %edi, %ecx
        xorl    %eax, %eax
        rep stosb
        jmp     counterMain

        .balign 8
gdt:    .quad   0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdtr:   .word   gdtr - gdt - 1
        .long   gdt

        .org    510
        .word   0xaa55

        .text
        .globl  timerInterrupt
timerInterrupt:                         /* the only interrupt that is not masked */
        pushl   %eax
        incl    counterTicks
        movb    $0x20, %al
        outb    %al, $0x20
        popl    %eax
        iret

        .section .note.GNU-stack, "", @progbits
