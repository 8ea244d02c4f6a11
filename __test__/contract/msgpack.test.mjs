// MessagePack byte for byte as `@polywrap/msgpack-js` writes it.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { describe, test } from 'node:test'
import { decode, encode, encoded } from '../../concurrency.mjs'
import { randomOf, seed } from './random.mjs'

const { msgpackDecode, msgpackEncode } = createRequire(import.meta.url)('@polywrap/msgpack-js')

const hex = bytes => Buffer.from(bytes).toString('hex')
const INTEGERS = [7, 8, 15, 16, 31, 32, 53].flatMap(bits =>
  [-1, 0, 1].flatMap(near => [2 ** bits + near, -(2 ** bits) + near]),
)
const values = [
  [null, true, false, '', 'book', 'ä€😀', 0, -0, 1, -1, ...INTEGERS],
  [0.5, -1.25, 1e300, 2 ** 60, Number.NaN, Infinity, -Infinity, 5e-324],
  ...[31, 32, 255, 256, 65_535, 65_536].map(length => 'x'.repeat(length)),
  ...[0, 15, 16, 65_535, 65_536].map(length => Array(length).fill(1)),
  ...[0, 255, 256, 65_536].map(length => new Uint8Array(length).fill(7)),
  Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`key${n}`, { n }])),
  { uri: 'wrap://a', args: new Uint8Array([1, 2]), none: undefined, nil: null, list: [undefined] },
  new Map([
    ['b', 1],
    ['a', new Map([['c', [1, 2]]])],
    [7, 'seven'],
  ]),
  new Map(),
  new Date(0),
  new Date(1_700_000_000_123),
  new Date(-5),
  new Date(2 ** 34 * 1_000 + 1),
  new Uint16Array([1, 2, 3]),
  new DataView(new ArrayBuffer(3)),
]

describe('values', () => {
  for (const [n, value] of values.entries()) {
    test(`value ${n} has the same bytes, and is read as the same`, () => {
      assert.equal(hex(encode(value)), hex(msgpackEncode(value)))
      assert.deepEqual(decode(encode(value)), msgpackDecode(msgpackEncode(value)))
    })
  }
})

/** A value of chance. */
function chanceValue(random, depth) {
  const kind = random.below(depth > 0 ? 9 : 6)
  const list = () => Array.from({ length: random.below(5) }, () => chanceValue(random, depth - 1))
  const pairs = () => list().map(value => [`k${random.below(9)}`, value])
  switch (kind) {
    case 0:
      return random.below(2) === 0 ? null : random.below(2) === 0
    case 1:
      return random.below(2 ** 32) * (random.below(2) === 0 ? 1 : -(2 ** 20))
    case 2:
      return random.below(2 ** 32) / 7
    case 3:
      return 'ß'.repeat(random.below(40))
    case 4:
      return Uint8Array.from({ length: random.below(300) }, () => random.below(256))
    case 5:
      return new Date(random.below(2 ** 32) * 1_000 - random.below(2 ** 31))
    case 6:
      return list()
    case 7:
      return Object.fromEntries(pairs())
    default:
      return new Map(pairs())
  }
}

test(`values of chance have the same bytes (SEED=${seed})`, () => {
  const random = randomOf(seed)
  for (let n = 0; n < 2_000; n += 1) {
    const value = chanceValue(random, 4)
    const bytes = encode(value)
    assert.equal(hex(bytes), hex(msgpackEncode(value)))
    assert.deepEqual(decode(bytes), msgpackDecode(bytes))
  }
})

test(`bytes of chance are a value, or refused (SEED=${seed})`, () => {
  const random = randomOf(seed)
  let read = 0
  for (let n = 0; n < 20_000; n += 1) {
    const bytes = Uint8Array.from({ length: 1 + random.below(12) }, () => random.below(256))
    try {
      decode(bytes)
      read += 1
    } catch (error) {
      assert.equal(error.code, 'TASKER_INVALID', `${hex(bytes)}: ${error.stack}`)
      assert.match(error.message, /^bytes: /)
    }
  }
  assert.ok(read > 0)
})

test('what has no MessagePack is refused with its path', () => {
  const deep = depth => (depth === 0 ? 1 : [deep(depth - 1)])
  const ring = []
  ring.push(ring)
  for (const [value, path] of [
    [() => {}, 'value'],
    [{ a: [1, Symbol('s')] }, 'value.a[1]'],
    [{ text: 'a\ud800' }, 'value.text'],
    [new Date(Number.NaN), 'value'],
    [2n ** 64n, 'value'],
    [deep(100), `value${'[0]'.repeat(100)}`],
    [ring, `value${'[0]'.repeat(100)}`],
  ]) {
    assert.throws(() => encode(value), { code: 'TASKER_INVALID', path })
  }
  assert.equal(hex(encode(deep(99))), hex(msgpackEncode(deep(99))))
  assert.deepEqual(decode(encode(deep(99))), deep(99))
  for (const bytes of ['', '0000', 'd9', '81c001', 'c7020901ff', 'd40100', 'a2c328']) {
    assert.throws(() => decode(Buffer.from(bytes, 'hex')), {
      code: 'TASKER_INVALID',
      path: 'bytes',
    })
  }
  const levels = Buffer.concat([Buffer.alloc(200_000, 0x91), Buffer.from([1])])
  assert.throws(() => decode(levels), { code: 'TASKER_INVALID' })
  for (const huge of ['ddffffffff', 'dfffffffff', 'c6ffffffff', 'dbffffffff']) {
    assert.throws(() => decode(Buffer.from(huge, 'hex')), { code: 'TASKER_INVALID' })
  }
  for (const bytes of ['text', [1], null, new ArrayBuffer(1)]) {
    assert.throws(() => decode(bytes), { code: 'TASKER_INVALID', path: 'bytes' })
    assert.throws(() => encoded(bytes), { code: 'TASKER_INVALID', path: 'bytes' })
  }
})

test('integers beyond those of a number are BigInts', () => {
  for (const value of [2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n), 2n ** 53n]) {
    assert.equal(decode(encode(value)), value)
  }
  assert.equal(decode(encode(5n)), 5)
})

test('a key of a map is a member of its own, whatever its name', () => {
  const read = decode(Buffer.from('82a95f5f70726f746f5f5f01a16102', 'hex'))
  assert.deepEqual(Object.entries(read), [
    ['__proto__', 1],
    ['a', 2],
  ])
  assert.equal(Object.getPrototypeOf(read), Object.prototype)
})
