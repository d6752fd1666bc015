// Numbers of type N as indices.

__device__ inline Index whole(N given) {  // cut to an integer; NaN is 0
  const double number = static_cast<double>(widened(given));
  if (number != number) return 0;
  if (number > 4e18 || number < -4e18) return number > 0 ? Index{1} << 61 : -(Index{1} << 61);
  return static_cast<Index>(widened(given));
}

// An index that counts modulo the size (wrap), or moves to the nearest end.
__device__ inline Index within(Index index, Index size, int wrap) {
  if (!wrap) return index < 0 ? 0 : index >= size ? size - 1 : index;
  index %= size;
  return index < 0 ? index + size : index;
}
