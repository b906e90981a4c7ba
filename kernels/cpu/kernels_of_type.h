/* All micro-kernels for one instruction set and number type, and the table that lists them. */

#include "vector.h"
#include "tile.h"
#include "windows.h"
#include "transpose.h"
#include "dots.h"
#include "sparse.h"
#include "peak.h"

static const tile_table NAME(table) = {
    .lanes = LANES, .vectors = MAX_VECTORS, .rows = {0, MAX_ROWS(1), MAX_ROWS(2), MAX_ROWS(3), MAX_ROWS(4)},
#if MAX_VECTORS == 4
    .tile = {0, NAME(tile_1), NAME(tile_2), NAME(tile_3), NAME(tile_4)},
    .tile_exact = {0, NAME(tile_1_exact), NAME(tile_2_exact), NAME(tile_3_exact), NAME(tile_4_exact)},
#else
    .tile = {0, NAME(tile_1), NAME(tile_2)},
    .tile_exact = {0, NAME(tile_1_exact), NAME(tile_2_exact)},
#endif
    .channelwise = NAME(channelwise), .channelwise_exact = NAME(channelwise_exact),
    .max_windows = NAME(max_windows), .spread_windows = NAME(spread_windows),
    .select_sums = NAME(select_sums), .weighted_sums = NAME(weighted_sums),
    .transpose = NAME(transpose), .dots = NAME(dots), .sparse_rows = NAME(sparse_rows),
    .peak = NAME(peak), .peak_operations = 2 * NAME(PEAK_SUMS) * LANES,
};
#undef MAX_VECTORS
#undef MAX_ROWS
#undef REAL
#undef sizeof_REAL
#undef INTEGER
#undef AVX
#undef WIDEN
#undef NARROW
