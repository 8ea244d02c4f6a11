// Regular expressions in queries beside V8: what is found, what is refused, and each difference of
// the table in docs/guide/queries.md. The seed is printed; SEED=… repeats one.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { open, rejection } from './open.mjs'
import { randomOf, seed } from './random.mjs'

const { below, pick, many } = randomOf(seed)

/** A tasker that has these texts as its data. */
async function holding(t, texts) {
  t.diagnostic(`SEED=${seed}`)
  const tasker = open(t)
  await tasker.addTasks(texts.map(data => ({ operation: 'a', data })))
  return tasker
}

/** The texts that a query finds, in their order. */
async function found(tasker, query) {
  return (await tasker.findTasks(query, { sort: { seq: 1 } })).map(({ data }) => data)
}

const letters = ['a', 'b', 'A', 'B', 'k', 's', 'S', '0', '7', '_', '-', ' ', '\n', '\r', '\t']
const others = ['é', 'É', 'ß', 'ẞ', 'ſ', 'K', 'σ', 'ς', 'Σ', 'µ', 'Μ', 'ı', 'İ', 'ǆ', 'ǅ', '\u00a0']
const rare = ['\u2028', '\u2029', '\ufeff', '\u0000', '\u0085', '\u180e', '中', '`', '[', '^', '@']
const symbols = [...letters, ...letters, ...others, ...rare]
const textOf = most => many(most, () => pick(symbols)).join('')

const escapes = ['\\d', '\\D', '\\w', '\\W', '\\s', '\\S', '\\t', '\\n', '\\x41', '\\u00e9', '\\cJ']
const special = c => (/[\\^$.*+?()[\]{}|/-]/.test(c) ? `\\${c}` : c)
const plain = c => (c === '-' ? c : special(c))
const member = () => pick([() => special(pick(symbols)), () => pick(escapes)])()
const range = () => pick(['a-k', 'A-Z', '0-7', 'à-ÿ', 'α-ω', '\\x00-\\x1f', '\\u2000-\\u2fff'])
const items = () => [pick([member, range])(), ...many(2, () => pick([member, range])())].join('')

/** Patterns of both syntaxes; `depth` bounds the groups. */
function pattern(depth) {
  const kind = below(depth > 0 ? 10 : 7)
  if (kind < 2) return plain(pick(symbols))
  if (kind === 2) return pick(escapes)
  if (kind === 3) return pick(['.', '\\b', '\\B', '[^]', '[]'])
  if (kind === 4) return `[${pick(['', '^'])}${items()}]`
  if (kind === 5) return textOf(2).replace(/./gsu, plain)
  if (kind === 6) return `${pick([plain(pick(symbols)), '.', '\\w', '\\s'])}${times()}`
  if (kind === 7) return `${pick(['(', '(?:'])}${pattern(depth - 1)})${pick(['', times()])}`
  if (kind === 8) return `(?:${pattern(depth - 1)}|${pattern(depth - 1)})`
  return pattern(depth - 1) + pattern(depth - 1)
}

const times = () => pick(['*', '+', '?', '{2}', '{1,}', '{0,2}', '*?', '+?', '{1,2}?'])

/** With `^` and `$` where both mean the same with the flag `m`. */
const anchored = () => `${pick(['', '', '^'])}${pattern(3)}${pick(['', '', '$'])}`
const flagsOf = () => ['i', 'm', 's', 'u'].filter(() => below(2) === 0).join('')
// The table has the one difference of it.
const isComparable = (source, flags) => !(/\\b/i.test(source) && /i.*u/.test(flags))

test(`patterns find what V8 finds (seed ${seed})`, async t => {
  const texts = [...new Set(['', ...Array.from({ length: 300 }, () => textOf(5))])]
  const tasker = await holding(t, texts)
  let hits = 0
  for (let n = 0; n < 1_500; n += 1) {
    const [source, flags] = [anchored(), flagsOf()]
    if (!isComparable(source, flags)) continue
    const regex = new RegExp(source, flags)
    const expected = texts.filter(text => regex.test(text))
    assert.deepEqual(await found(tasker, { data: regex }), expected, `SEED=${seed} ${regex}`)
    hits += expected.length
  }
  assert.ok(hits > 20_000, `they found too little to mean anything: ${hits}`)
})

const noise = '^$.*+?()[]{}|\\\\\\-,:<>=!/abkBdwxucpn0123456789'
/** What is refused here and is a pattern of JavaScript. */
const REASONS = /linear time|half a surrogate pair|two groups have one name|is too large/

test(`a text is a pattern here if it is one in V8 (seed ${seed})`, async t => {
  const tasker = await holding(t, ['a', 'b', '1', '', 'k', '\\', 'c', '{1}', ']'])
  let [good, bad] = [0, 0]
  for (let n = 0; n < 4_000; n += 1) {
    const source = many(8, () => pick(noise)).join('')
    const flags = pick(['', '', 'u', 'i'])
    const where = `SEED=${seed} ${JSON.stringify(source)} ${flags}`
    const query = { data: { $regex: source, $options: flags } }
    const error = await tasker.hasTask(query).then(
      () => undefined,
      refusal => refusal,
    )
    let regex
    try {
      regex = new RegExp(source, flags)
    } catch {
      assert.equal(error?.code, 'TASKER_INVALID_QUERY', where)
      assert.equal(error.path, 'query.data.$regex', where)
      bad += 1
      continue
    }
    if (error) assert.match(error.message, REASONS, where)
    else good += 1
    if (error || /\\b/i.test(source)) continue
    const all = await found(tasker, { seq: { $gt: 0 } })
    const expected = all.filter(text => regex.test(text))
    assert.deepEqual(await found(tasker, { data: regex }), expected, where)
  }
  assert.ok(good > 500 && bad > 500, `too few of a kind: ${good} good, ${bad} bad`)
})

// New since Unicode 16: older versions of Node.js do not know their case.
const NEW =
  /[\u019b\u0264\u1c89\u1c8a\ua7cb-\ua7d5\ua7da-\ua7dc\u{10d50}-\u{10d8f}\u{16ea0}-\u{16edf}]/u
const cased = Array.from({ length: 0x1e944 }, (_, code) => code)
  .filter(code => code < 0xd800 || code > 0xdfff)
  .map(code => String.fromCodePoint(code))
  .filter(
    c => c.toLowerCase() !== c || c.toUpperCase() !== c || /\p{Changes_When_Casefolded}/u.test(c),
  )
  .filter(c => !NEW.test(c))

test('every letter equals those letters without its capitals that V8 takes for equal', async t => {
  const tasker = await holding(t, cased)
  let pairs = 0
  for (const flags of ['i', 'iu']) {
    for (let at = 0; at < cased.length; at += 100) {
      // Without the flag u, V8 takes a letter beyond U+FFFF for two.
      const some = cased.slice(at, at + 100).filter(c => flags === 'iu' || c.length === 1)
      if (some.length === 0) continue
      const regex = new RegExp(`^[${some.join('')}]$`, flags)
      const expected = cased.filter(c => regex.test(c))
      const actual = (await found(tasker, { data: regex })).filter(
        c => flags === 'iu' || c.length === 1,
      )
      assert.deepEqual(actual, expected, `${regex}`)
      pairs += expected.length
    }
  }
  assert.ok(pairs > 4_000, `too few: ${pairs}`)
})

/** Whether a query with the pattern finds the text; the error if it is refused. */
async function finds(t, regex, text) {
  const tasker = await holding(t, [text])
  const query = { data: typeof regex === 'string' ? { $regex: regex, $options: 'u' } : regex }
  return await tasker.hasTask(query).catch(error => error)
}

test('the table of differences is right', async t => {
  const differing = [
    [/^.$/, '😀', false, true],
    [/^[^a]$/, '😀', false, true],
    [/^😀{2}$/, '😀😀', false, true],
    [/\bſ/iu, 'ſ', true, false],
    [/a$\r^b/m, 'a\rb', true, false],
    [/^\ufffd$/, '\ud800', false, true],
  ]
  for (const [regex, text, inV8, here] of differing) {
    assert.equal(regex.test(text), inV8, `V8: ${regex}`)
    assert.equal(await finds(t, regex, text), here, `${regex}`)
  }
  const loosely = '\\p{greek}'
  assert.throws(() => new RegExp(loosely, 'u'), SyntaxError)
  assert.equal(await finds(t, loosely, 'α'), true)
})

test('what JavaScript has and a query has not is refused with reason and place', async t => {
  const tasker = await holding(t, ['a'])
  const refusals = [
    [/a/g, /flag g: a query remembers no place/],
    [/a/y, /flag y: a query remembers no place/],
    [/a/d, /flag d: a query returns no places/],
    [/[a&&b]/v, /flag v: sets of sets/],
    [/(?=a)/, /linear time/],
    [/(?!a)/, /linear time/],
    [/(?<=a)/, /linear time/],
    [/(?<!a)/, /linear time/],
    [/(a)\1/, /linear time/],
    [/(?<n>a)\k<n>/, /linear time/],
    [/\ud83d/, /half a surrogate pair/],
    [/[\ud800-\udfff]/, /half a surrogate pair/],
    [/(?:.{1000}){1000}/, /too large/],
  ]
  for (const [regex, reason] of refusals) {
    for (const [query, path] of [
      [{ data: regex }, 'query.data'],
      [{ data: { $not: regex } }, 'query.data.$not'],
      [{ $or: [{ seq: 1 }, { data: { $in: ['a', regex] } }] }, 'query.$or[1].data.$in[1]'],
      [{ data: { $elemMatch: { b: regex } } }, 'query.data.$elemMatch.b'],
      [{ data: { $regex: regex } }, 'query.data.$regex'],
    ]) {
      const error = await rejection(tasker.findTasks(query))
      assert.equal(error.code, 'TASKER_INVALID_QUERY')
      assert.equal(error.path, path)
      assert.match(error.message, reason)
    }
  }
})

test('where a pattern stopped before does not count', async t => {
  const tasker = await holding(t, ['aa'])
  const regex = /a/
  regex.lastIndex = 2
  assert.equal(await tasker.countTasks({ data: regex }), 1)
  assert.equal(regex.lastIndex, 2)
})
