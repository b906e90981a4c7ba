// Tensor cores: a warp multiplies small matrices with one instruction, in TF32 (10 bits of mantissa, where float has
// 23), and accumulates in float. Compute capability 8.0 and newer.
#pragma once

// Rounds to nearest: ties to even with compute capability 9.0, in one instruction; before, ties away from zero, in
// three.
__device__ __forceinline__ unsigned to_tf32(float x) {
  unsigned bits;
#if __CUDA_ARCH__ >= 900
  asm("cvt.rn.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
#else
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
#endif
  return bits;
}

// Loads four matrices of 8 rows of 4 numbers from shared memory, in the layout of mma. Lane 8 i + r passes the address
// of row r of matrix i, and gets element [lane / 4][lane % 4] of each matrix, in d[0] ... d[3]. PTX ISA, "ldmatrix":
// there elements have 16 bits, and a lane gets two of them.
__device__ __forceinline__ void load_matrices(unsigned* d, const unsigned* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
               : "r"((unsigned)__cvta_generic_to_shared(row))
               : "memory");
}

// D = A B + C with A 16 x 8, B 8 x 8, C and D 16 x 8, distributed over the warp. Lane 4 g + t, with t < 4, holds
//     a[i] = A[g + 8 (i % 2)][t + 4 (i / 2)]     b[i] = B[t + 4 i][g]     c[i], d[i] = C, D[g + 8 (i / 2)][2 t + i % 2]
// PTX ISA, "mma.m16n8k8". Volatile, as all lanes must run it: else the compiler might move it into a branch that only
// some of them take.
__device__ __forceinline__ void mma_tf32_16x8x8(float d[4], const unsigned a[4], const unsigned b[2],
                                                const float c[4]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%11,%12,%13};\n"
      : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(c[0]), "f"(c[1]), "f"(c[2]), "f"(c[3]));
}
