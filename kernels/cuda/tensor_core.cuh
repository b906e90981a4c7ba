// Tensor cores: one warp multiplies small matrices with one instruction, the numbers rounded to TF32 (10 bits of
// mantissa instead of 23) and added up in float. PTX ISA, "mma.m16n8k8"; compute capability 8.0 and newer.
#pragma once

__device__ __forceinline__ unsigned to_tf32(float x) {
  unsigned bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
}

// D = A B + C with A 16 x 8, B 8 x 8, C and D 16 x 8, spread over the warp. Lane l holds, with g = l / 4 and t = l % 4:
//     a[i] = A[g + 8 (i % 2)][t + 4 (i / 2)]     b[i] = B[t + 4 i][g]     c[i], d[i] = C, D[g + 8 (i / 2)][2 t + i % 2]
__device__ __forceinline__ void mma_tf32_16x8x8(float d[4], const unsigned a[4], const unsigned b[2],
                                                const float c[4]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%11,%12,%13};\n"
      : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(c[0]), "f"(c[1]), "f"(c[2]), "f"(c[3]));
}
