// Random choices from a seed, for tests that generate their cases.

export const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)

/** A small generator of numbers (mulberry32). */
function numbers(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let x = Math.imul(state ^ (state >>> 15), 1 | state)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Choices that a seed decides. */
export function randomOf(state) {
  const next = numbers(state)
  const below = n => Math.floor(next() * n)
  const pick = list => list[below(list.length)]
  const many = (most, make) => Array.from({ length: below(most + 1) }, make)
  return { below, pick, many }
}
