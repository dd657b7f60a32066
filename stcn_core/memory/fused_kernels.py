"""The memory read as three kernels for a GPU, in Triton. `fused_read` launches them.

Shapes: K key sets, O objects, CK/CV key/value channels, N memory positions, B query frames of P positions each,
Q = B*P, k positions to read. Memory is cut into blocks of `G` positions. Its keys and values may be the first N
positions of longer buffers, so strides are given.
"""

import triton
import triton.language as tl

# Triton would compile a kernel anew for a 1, and for a number that 16 divides. These change from clip to clip and from
# memory frame to memory frame, where nothing is to be compiled.
SIZES = ["N", "P", "NB", "Q", "blocks_read", "key_set_stride", "channel_stride", "object_stride", "position_stride"]


@triton.jit
def _key_similarity(product, squares, COSINE: tl.constexpr, L2: tl.constexpr):
    """Similarities of a product m.q, where the query has been scaled, and of |m|^2."""
    if L2:
        return product - squares
    if COSINE:
        return product / tl.maximum(tl.sqrt(squares), 1e-12)
    return product


@triton.jit(do_not_specialize=SIZES)
def block_maxima(
    keys, query, prior_memory, prior_query, maxima,
    N, P, NB, key_set_stride, channel_stride, Q,
    C: tl.constexpr, C_PADDED: tl.constexpr, COSINE: tl.constexpr, L2: tl.constexpr, PRIOR: tl.constexpr,
    PRECISION: tl.constexpr, G: tl.constexpr, TILE_N: tl.constexpr, TILE_Q: tl.constexpr,
):  # fmt: skip
    """The largest similarity in each block of memory, for each query position: maxima (K, Q, NB).

    keys (K, C, N), query (C, Q), prior_memory (B, 4, N), prior_query (4, P). A program: TILE_N memory positions by
    TILE_Q positions of one frame. Similarities themselves are never stored.
    """
    key_set = tl.program_id(2)
    tiles = tl.cdiv(P, TILE_Q)
    frame, at = tl.program_id(1) // tiles, (tl.program_id(1) % tiles) * TILE_Q + tl.arange(0, TILE_Q)
    n, c, q = tl.program_id(0) * TILE_N + tl.arange(0, TILE_N), tl.arange(0, C_PADDED), frame * P + at
    key = tl.load(
        keys + key_set * key_set_stride + c[None, :] * channel_stride + n[:, None],
        mask=(n < N)[:, None] & (c < C)[None, :], other=0.0,
    )  # fmt: skip
    asked = tl.load(query + c[:, None] * Q + q[None, :], mask=(c < C)[:, None] & (at < P)[None, :], other=0.0)
    product = tl.dot(key, asked, input_precision=PRECISION)
    scores = _key_similarity(product, tl.sum(key * key, 1)[:, None], COSINE, L2)
    if PRIOR:
        for part in tl.static_range(4):
            of_memory = tl.load(prior_memory + (frame * 4 + part) * N + n, mask=n < N, other=0.0)
            of_query = tl.load(prior_query + part * P + at, mask=at < P, other=0.0)
            scores += of_memory[:, None] * of_query[None, :]
    scores = tl.where((n < N)[:, None], scores, float("-inf"))
    best = tl.trans(tl.max(tl.reshape(scores, (TILE_N // G, G, TILE_Q)), 1))  # TILE_Q, blocks
    block = tl.program_id(0) * (TILE_N // G) + tl.arange(0, TILE_N // G)
    rows = maxima + (key_set * Q + q)[:, None] * NB + block[None, :]
    tl.store(rows, best, mask=(at < P)[:, None] & (block < NB)[None, :])


@triton.jit(do_not_specialize=SIZES)
def best_of_blocks(
    keys, query, prior_memory, prior_query, blocks, weights, positions,
    N, P, blocks_read, key_set_stride, channel_stride, Q, divisor,
    C: tl.constexpr, COSINE: tl.constexpr, L2: tl.constexpr, PRIOR: tl.constexpr,
    G: tl.constexpr, BLOCKS: tl.constexpr, K: tl.constexpr, K_PADDED: tl.constexpr,
):  # fmt: skip
    """The K most similar positions in each query position's blocks (K sets, Q, blocks_read), and their weights.

    weights, positions (K sets, Q, K): the softmax of similarities over `divisor`; where memory has fewer positions
    than K, weights of 0. A program: one query position. Scores are computed anew, in float32.
    """
    q, key_set = tl.program_id(0), tl.program_id(1)
    frame, at = q // P, q % P
    j = tl.arange(0, BLOCKS * G)
    block = tl.load(blocks + (key_set * Q + q) * blocks_read + j // G, mask=j // G < blocks_read, other=0)
    position = block * G + j % G
    held = (j // G < blocks_read) & (position < N)
    product = tl.zeros((BLOCKS * G,), tl.float32)
    squares = tl.zeros((BLOCKS * G,), tl.float32)
    for c in range(C):
        key = tl.load(keys + key_set * key_set_stride + c * channel_stride + position, mask=held, other=0.0)
        product += key * tl.load(query + c * Q + q)
        squares += key * key
    scores = _key_similarity(product, squares, COSINE, L2)
    if PRIOR:
        for part in tl.static_range(4):
            of_memory = tl.load(prior_memory + (frame * 4 + part) * N + position, mask=held, other=0.0)
            scores += of_memory * tl.load(prior_query + part * P + at)
    scores = tl.where(held, scores, float("-inf"))
    top, rank = tl.max(scores, 0), tl.arange(0, K_PADDED)
    weight, chosen = tl.zeros((K_PADDED,), tl.float32), tl.zeros((K_PADDED,), tl.int32)
    for number in range(K):
        best, where = tl.max(scores, 0), tl.argmax(scores, 0)
        is_read = best > float("-inf")
        of_rank = rank == number
        weight = tl.where(of_rank, tl.where(is_read, tl.exp((best - top) / divisor), 0.0), weight)
        chosen = tl.where(of_rank, tl.where(is_read, tl.sum(tl.where(j == where, position, 0), 0), 0), chosen)
        scores = tl.where(j == where, float("-inf"), scores)
    row = (key_set * Q + q) * K + rank
    tl.store(weights + row, weight / tl.sum(weight, 0), mask=rank < K)
    tl.store(positions + row, chosen, mask=rank < K)


@triton.jit(do_not_specialize=SIZES)
def weighted_values(
    values, weights, positions, out,
    Q, object_stride, position_stride, SHARED: tl.constexpr, K: tl.constexpr, CV: tl.constexpr, CV_PADDED: tl.constexpr,
):  # fmt: skip
    """The values at K positions, averaged: out (O, Q, CV). A program: one query position of one object."""
    q, number = tl.program_id(0), tl.program_id(1).to(tl.int64)
    row = ((0 if SHARED else number) * Q + q) * K
    c = tl.arange(0, CV_PADDED)
    total = tl.zeros((CV_PADDED,), tl.float32)
    for rank in range(K):
        position = tl.load(positions + row + rank).to(tl.int64)
        value = tl.load(values + number * object_stride + position * position_stride + c, mask=c < CV, other=0.0)
        total += tl.load(weights + row + rank) * value.to(tl.float32)
    tl.store(out + (number * Q + q) * CV + c, total.to(out.dtype.element_ty), mask=c < CV)
