// What `npm run bench` and `npm run bench:pairs` measure.

/** n: for tasker and the sketch; slow: for plainjob, which takes longer per task. */
export const scenarios = [
  { name: 'drain, 100 in flight', scenario: 'drain', window: 100, n: 100_000, slow: 10_000 },
  { name: 'drain, 1024 in flight', scenario: 'drain', window: 1024, n: 100_000, slow: 10_000 },
  { name: 'add and run together', scenario: 'add-run', n: 100_000, slow: 10_000 },
  { name: 'bulk add, 1000 per call', scenario: 'bulk', n: 100_000, slow: 100_000 },
  { name: 'single adds, 100 at a time', scenario: 'adds', n: 50_000, slow: 50_000 },
  { name: 'adds one by one', scenario: 'one-by-one', n: 2_000, slow: 10_000 },
  { name: 'idle: add to runner', scenario: 'idle', n: 200, slow: 200, unit: 'µs' },
]

/** The middle of some numbers. */
export const median = values => values.toSorted((a, b) => a - b)[values.length >> 1]
