//go:build !purego

#include "textflag.h"

// func cpuHasAES() bool
TEXT ·cpuHasAES(SB), NOSPLIT, $0-1
	MOVL  $1, AX
	XORL  CX, CX
	CPUID
	BTL   $25, CX          // AES-NI; such a processor has SSE2 as well
	SETCS ret+0(FP)
	RET

// SPREAD adds to each 32-bit word of k all words before it. Clobbers X3.
#define SPREAD(k) \
	MOVO  k, X3  \
	PSLLO $4, X3 \
	PXOR  X3, k  \
	PSLLO $4, X3 \
	PXOR  X3, k  \
	PSLLO $4, X3 \
	PXOR  X3, k

// EVEN makes the next even round key, in X0, and stores it. FIPS 197, 5.2.
#define EVEN(rcon, round) \
	AESKEYGENASSIST $rcon, X1, X2 \
	PSHUFD          $0xFF, X2, X2 \
	SPREAD(X0)                    \
	PXOR            X2, X0        \
	MOVOU           X0, (16*round)(BX)

// ODD makes the next odd round key, in X1, and stores it.
#define ODD(round) \
	AESKEYGENASSIST $0, X0, X2    \
	PSHUFD          $0xAA, X2, X2 \
	SPREAD(X1)                    \
	PXOR            X2, X1        \
	MOVOU           X1, (16*round)(BX)

// func expandKey(key *SessionKey, enc, dec *roundKeys)
TEXT ·expandKey(SB), NOSPLIT, $0-24
	MOVQ  key+0(FP), AX
	MOVQ  enc+8(FP), BX
	MOVQ  dec+16(FP), DX
	MOVOU (AX), X0
	MOVOU 16(AX), X1
	MOVOU X0, (BX)
	MOVOU X1, 16(BX)
	EVEN(0x01, 2)
	ODD(3)
	EVEN(0x02, 4)
	ODD(5)
	EVEN(0x04, 6)
	ODD(7)
	EVEN(0x08, 8)
	ODD(9)
	EVEN(0x10, 10)
	ODD(11)
	EVEN(0x20, 12)
	ODD(13)
	EVEN(0x40, 14)

	// Decryption takes them backwards, all but the outermost through the
	// inverse of MixColumns.
	MOVOU X0, (DX)
	MOVQ  $13, CX

inverse:
	ADDQ   $16, DX
	MOVQ   CX, AX
	SHLQ   $4, AX
	MOVOU  (BX)(AX*1), X0
	AESIMC X0, X0
	MOVOU  X0, (DX)
	DECQ   CX
	JNZ    inverse
	MOVOU  (BX), X0
	MOVOU  X0, 16(DX)
	RET

// ROUNDS_1_TO_13 runs the block in X0, to which round key 0 was added, through
// all rounds but the last. Keys 1 to 12 are in X3 to X14. Clobbers X2.
#define ROUNDS_1_TO_13 \
	AESENC X3, X0       \
	AESENC X4, X0       \
	AESENC X5, X0       \
	AESENC X6, X0       \
	AESENC X7, X0       \
	AESENC X8, X0       \
	AESENC X9, X0       \
	AESENC X10, X0      \
	AESENC X11, X0      \
	AESENC X12, X0      \
	AESENC X13, X0      \
	AESENC X14, X0      \
	MOVOU  208(AX), X2  \
	AESENC X2, X0

// func encryptBlocks(keys *roundKeys, iv *[16]byte, dst, src *byte, blocks int)
//
// Each block needs the one before it, so the speed is the latency of 14
// rounds and nothing else may be in that chain. The last round adds, instead
// of key 14 alone, also the next plaintext and key 0: X0 comes out ready for
// the next block's first round, and the ciphertext is told apart beside it.
TEXT ·encryptBlocks(SB), NOSPLIT, $0-40
	MOVQ  keys+0(FP), AX
	MOVQ  iv+8(FP), BX
	MOVQ  dst+16(FP), DI
	MOVQ  src+24(FP), SI
	MOVQ  blocks+32(FP), CX
	MOVOU 16(AX), X3
	MOVOU 32(AX), X4
	MOVOU 48(AX), X5
	MOVOU 64(AX), X6
	MOVOU 80(AX), X7
	MOVOU 96(AX), X8
	MOVOU 112(AX), X9
	MOVOU 128(AX), X10
	MOVOU 144(AX), X11
	MOVOU 160(AX), X12
	MOVOU 176(AX), X13
	MOVOU 192(AX), X14

	MOVOU (AX), X15
	MOVOU (BX), X0
	MOVOU (SI), X1
	PXOR  X15, X0
	PXOR  X1, X0        // iv + first plaintext + key 0
	MOVOU 224(AX), X2
	PXOR  X2, X15       // key 0 + key 14
	DECQ  CX
	JZ    last

block:
	MOVOU 16(SI), X1
	PXOR  X15, X1       // next plaintext + key 0 + key 14
	ROUNDS_1_TO_13
	AESENCLAST X1, X0   // ciphertext + next plaintext + key 0
	MOVOU 224(AX), X2
	PXOR  X2, X1
	PXOR  X0, X1        // ciphertext
	MOVOU X1, (DI)
	ADDQ  $16, SI
	ADDQ  $16, DI
	DECQ  CX
	JNZ   block

last:
	ROUNDS_1_TO_13
	MOVOU 224(AX), X2
	AESENCLAST X2, X0
	MOVOU X0, (DI)
	MOVOU X0, (BX)
	RET

// DECRYPT_8 runs a round of the 8 blocks in X0 to X7. Clobbers X8.
#define DECRYPT_8(round) \
	MOVOU  (16*round)(AX), X8 \
	AESDEC X8, X0             \
	AESDEC X8, X1             \
	AESDEC X8, X2             \
	AESDEC X8, X3             \
	AESDEC X8, X4             \
	AESDEC X8, X5             \
	AESDEC X8, X6             \
	AESDEC X8, X7

// LAST_8 runs the last round of block x, whose ciphertext predecessor is at
// SI+off. X8 has the last key. Clobbers X10.
#define LAST_8(off, x) \
	MOVOU      off(SI), X10 \
	PXOR       X8, X10      \
	AESDECLAST X10, x

// DECRYPT_1 runs a round of the block in X0. Clobbers X8.
#define DECRYPT_1(round) \
	MOVOU  (16*round)(AX), X8 \
	AESDEC X8, X0

// func decryptBlocks(keys *roundKeys, iv *[16]byte, dst, src *byte, blocks int)
//
// Blocks do not need each other, so 8 of them keep the AES units busy. All
// ciphertext of a group is read before plaintext is written: dst may be src.
TEXT ·decryptBlocks(SB), NOSPLIT, $0-40
	MOVQ  keys+0(FP), AX
	MOVQ  iv+8(FP), BX
	MOVQ  dst+16(FP), DI
	MOVQ  src+24(FP), SI
	MOVQ  blocks+32(FP), CX
	MOVOU (BX), X9           // the ciphertext block before SI

by8:
	CMPQ  CX, $8
	JB    by1
	MOVOU (AX), X8
	MOVOU (SI), X0
	MOVOU 16(SI), X1
	MOVOU 32(SI), X2
	MOVOU 48(SI), X3
	MOVOU 64(SI), X4
	MOVOU 80(SI), X5
	MOVOU 96(SI), X6
	MOVOU 112(SI), X7
	PXOR  X8, X0
	PXOR  X8, X1
	PXOR  X8, X2
	PXOR  X8, X3
	PXOR  X8, X4
	PXOR  X8, X5
	PXOR  X8, X6
	PXOR  X8, X7
	DECRYPT_8(1)
	DECRYPT_8(2)
	DECRYPT_8(3)
	DECRYPT_8(4)
	DECRYPT_8(5)
	DECRYPT_8(6)
	DECRYPT_8(7)
	DECRYPT_8(8)
	DECRYPT_8(9)
	DECRYPT_8(10)
	DECRYPT_8(11)
	DECRYPT_8(12)
	DECRYPT_8(13)
	MOVOU 224(AX), X8
	PXOR  X8, X9
	AESDECLAST X9, X0
	LAST_8(0, X1)
	LAST_8(16, X2)
	LAST_8(32, X3)
	LAST_8(48, X4)
	LAST_8(64, X5)
	LAST_8(80, X6)
	LAST_8(96, X7)
	MOVOU 112(SI), X9
	MOVOU X0, (DI)
	MOVOU X1, 16(DI)
	MOVOU X2, 32(DI)
	MOVOU X3, 48(DI)
	MOVOU X4, 64(DI)
	MOVOU X5, 80(DI)
	MOVOU X6, 96(DI)
	MOVOU X7, 112(DI)
	ADDQ  $128, SI
	ADDQ  $128, DI
	SUBQ  $8, CX
	JMP   by8

by1:
	TESTQ CX, CX
	JZ    done
	MOVOU (SI), X0
	MOVO  X0, X1
	MOVOU (AX), X8
	PXOR  X8, X0
	DECRYPT_1(1)
	DECRYPT_1(2)
	DECRYPT_1(3)
	DECRYPT_1(4)
	DECRYPT_1(5)
	DECRYPT_1(6)
	DECRYPT_1(7)
	DECRYPT_1(8)
	DECRYPT_1(9)
	DECRYPT_1(10)
	DECRYPT_1(11)
	DECRYPT_1(12)
	DECRYPT_1(13)
	MOVOU 224(AX), X8
	PXOR  X8, X9
	AESDECLAST X9, X0
	MOVO  X1, X9
	MOVOU X0, (DI)
	ADDQ  $16, SI
	ADDQ  $16, DI
	DECQ  CX
	JMP   by1

done:
	MOVOU X9, (BX)
	RET
