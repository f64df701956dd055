//go:build !purego

#include "textflag.h"

// Folding after Gopal et al., "Fast CRC Computation for Generic Polynomials
// Using PCLMULQDQ Instruction" (Intel, 2009), without bit reflection. The
// bytes of each 16-byte block are swapped, so that the first bit of the
// message is the highest of the register. The reduction from 16 bytes to the
// CRC is left to the caller.

DATA byteSwap<>+0(SB)/8, $0x08090A0B0C0D0E0F
DATA byteSwap<>+8(SB)/8, $0x0001020304050607
GLOBL byteSwap<>(SB), RODATA|NOPTR, $16

// LOAD reads the 16-byte block at SI+off.
#define LOAD(off, x) \
	MOVOU  off(SI), x \
	PSHUFB X15, x

// FOLD replaces x by x·factors + next. Clobbers X9.
#define FOLD(factors, x, next) \
	MOVO      x, X9                \
	PCLMULQDQ $0x00, factors, X9   \ // lower half
	PCLMULQDQ $0x11, factors, x    \ // upper half
	PXOR      X9, x                \
	PXOR      next, x

// func fold(folded *[16]byte, crc uint32, p []byte)
TEXT ·fold(SB), NOSPLIT, $0-40
	MOVQ  folded+0(FP), DI
	MOVL  crc+8(FP), AX
	MOVQ  p_base+16(FP), SI
	MOVQ  p_len+24(FP), CX
	MOVOU byteSwap<>(SB), X15
	MOVOU ·foldFactors+0(SB), X14  // by 64 bytes
	MOVOU ·foldFactors+16(SB), X13 // by 16 bytes

	LOAD(0, X0)
	LOAD(16, X1)
	LOAD(32, X2)
	LOAD(48, X3)
	MOVQ  AX, X4                   // the CRC so far is added to the first 4 bytes
	PSLLO $12, X4
	PXOR  X4, X0
	ADDQ  $64, SI
	SUBQ  $64, CX

by64:
	CMPQ CX, $64
	JB   join
	LOAD(0, X4)
	LOAD(16, X5)
	LOAD(32, X6)
	LOAD(48, X7)
	FOLD(X14, X0, X4)
	FOLD(X14, X1, X5)
	FOLD(X14, X2, X6)
	FOLD(X14, X3, X7)
	ADDQ $64, SI
	SUBQ $64, CX
	JMP  by64

join:
	FOLD(X13, X0, X1)
	FOLD(X13, X0, X2)
	FOLD(X13, X0, X3)

by16:
	CMPQ CX, $16
	JB   done
	LOAD(0, X4)
	FOLD(X13, X0, X4)
	ADDQ $16, SI
	SUBQ $16, CX
	JMP  by16

done:
	PSHUFB X15, X0
	MOVOU  X0, (DI)
	RET

// func cpuHasCLMUL() bool
TEXT ·cpuHasCLMUL(SB), NOSPLIT, $0-1
	MOVL  $1, AX
	XORL  CX, CX
	CPUID
	ANDL  $0x202, CX               // bit 1: PCLMULQDQ, bit 9: SSSE3 (PSHUFB)
	CMPL  CX, $0x202
	SETEQ ret+0(FP)
	RET
