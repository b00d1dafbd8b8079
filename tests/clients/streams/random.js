/** @module Numbers that look random, the same with each run of a seed. */

/**
 * @param {number} seed
 * @returns {(below: number) => number} a whole number from 0 on, below the one given
 */
export function generator(seed) {
  // Zero is the one state that this generator never leaves.
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
