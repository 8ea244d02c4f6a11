// JSON text within a limit: the writer of errors and log fields beside `JSON.stringify`.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { JsonWriter, TooLarge } from '../../dist/bounded-json.js'
import { isLongerThan } from '../../dist/json-size.js'

const write = (value, chars = 1e6) => new JsonWriter({ chars, levels: 100 }).write(value)

/** Numbers from 0 to below 1 that a seed repeats. */
function randomOf(seed) {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

const leaves = [
  0, -0, 1.5, 1e300, Number.NaN, Infinity, '', 'text', '"\\\n\u2028', '\ud800', 'ä€😀', true, false,
  null, undefined, Symbol('s'), () => {}, Object(1), Object('s'), Object(false), new Date(0),
  new Date(Number.NaN), new Map([[1, 2]]), /a/, Buffer.from('ab'), new Uint8Array(3),
  new Error('x'), { toJSON: key => `at ${key}` }, { toJSON: () => undefined }, new Array(2),
  Object.assign(Object.create(null), { bare: 1 }), Object.create({ inherited: 1 }),
] // biome-ignore format: a list of values

function randomValue(random, depth) {
  const kind = random()
  if (depth === 0 || kind < 0.4) return leaves[Math.floor(random() * leaves.length)]
  const count = Math.floor(random() * 5)
  const parts = Array.from({ length: count }, () => randomValue(random, depth - 1))
  if (kind < 0.7) return parts
  return Object.fromEntries(parts.map((part, i) => [`${i % 2 ? 'ключ' : 'k"'}${i}`, part]))
}

test('a text within the limits is the one of JSON.stringify', () => {
  const seed = Number(process.env.TASKER_SEED ?? Math.floor(Math.random() * 2 ** 31))
  const random = randomOf(seed)
  for (let i = 0; i < 3000; i += 1) {
    const value = randomValue(random, 4)
    const expected = JSON.stringify(value)
    assert.equal(write(value), expected, `TASKER_SEED=${seed}, value ${i}`)
    if (expected === undefined) continue
    assert.equal(
      write(value, 2 * expected.length + 64),
      expected,
      `TASKER_SEED=${seed}, value ${i}`,
    )
    if (expected.length < 2) continue
    assert.throws(
      () => write(value, expected.length - 1),
      TooLarge,
      `TASKER_SEED=${seed}, value ${i}`,
    )
    assert.equal(isLongerThan(value, expected.length), false, `TASKER_SEED=${seed}, value ${i}`)
  }
})

test('what JSON refuses is refused: a BigInt, a cycle', () => {
  const cycle = {}
  cycle.self = [cycle]
  assert.throws(() => write(cycle), TypeError)
  assert.throws(() => write([1n]), TypeError)
  assert.throws(() => write({ toJSON: () => assert.fail('mine') }), /mine/)
})

test('what is too deep or too long is refused after no more reads than its text may have', () => {
  let reads = 0
  const row = () => ({
    get a() {
      reads += 1
      return reads
    },
  })
  const rows = Array.from({ length: 100_000 }, row)
  assert.throws(() => write(rows, 1000), TooLarge)
  assert.ok(reads <= 1000, `${reads} reads`)
  let deep = {}
  for (let i = 0; i < 101; i += 1) deep = { deep }
  assert.throws(() => write(deep), TooLarge)
})

test('a Buffer that cannot fit is refused for its bytes, before it is turned into a list', () => {
  for (const bytes of [
    Buffer.alloc(2000),
    new Float64Array(300),
    new DataView(new ArrayBuffer(2000)),
  ])
    assert.throws(() => write({ bytes }, 1000), /more bytes/)
})

test('a look tells what is certainly too long, and stops there', () => {
  let reads = 0
  const rows = Array.from({ length: 100_000 }, () => ({
    get a() {
      reads += 1
      return 'text'
    },
  }))
  assert.equal(isLongerThan(rows, 200_000), true)
  assert.ok(reads <= 200_000, `${reads} reads`)
  assert.equal(isLongerThan(Buffer.alloc(1000), 1999), true)
  assert.equal(isLongerThan(new Array(1e9), 1e6), true)
  assert.equal(isLongerThan('x'.repeat(100), 100), true)
  class Body {
    bytes = Buffer.alloc(1000)
  }
  assert.equal(isLongerThan({ body: new Body() }, 1999), true)
  const cycle = { text: 'x'.repeat(10) }
  cycle.self = cycle
  assert.equal(isLongerThan(cycle, 1000), false) // For JSON.stringify to refuse.
})
