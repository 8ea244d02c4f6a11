// findTasks against mingo, on generated documents, queries, sorts and projections. The seed is
// printed; SEED=… repeats one.
//
// mingo deviates from MongoDB. Where the manual gives an equal query without the operator, mingo is
// asked that one (`manual`); the rest is not generated:
// - objects as operands: mingo minds the order of their keys
// - arrays inside arrays: mingo flattens them before it compares
// - null, $exists, $type, $size, $elemMatch and negations on paths that go on behind an array: to
//   mingo members that lack the field are not there, and an array without any is an empty one; so
//   too behind its end; and what it collects there is an array to $elemMatch. Documents where a
//   path does that are left out, in the second test where it asks $elemMatch; it has no other
// - members that are no objects, for an $elemMatch of a query: mingo takes each for the value of
//   every path. The second test leaves out documents where it meets one
// - `int`, `long` and `double`: mingo has one type of numbers; fractions before $mod: it keeps them
// - a sort by a path that meets an array, an object or an explicit null: mingo sorts arrays
//   downward by their smallest member, minds the order of keys, and does not take null for
//   missing. Documents where it does are left out
// - a number in a projection: mingo takes it for a place, MongoDB for a name

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect, isDeepStrictEqual } from 'node:util'
import { Query } from 'mingo'
import { open } from './open.mjs'
import { randomOf, seed } from './random.mjs'

const { below, pick, many } = randomOf(seed)

const scalars = [true, false, 0, 1, 2, -1, 3, '', 'a', 'b', '1']
const keys = ['a', 'b', 'c']
const object = member => Object.fromEntries(many(3, () => [pick(keys), member()]))
const scalar = () => pick([...scalars, null])

/** Documents whose arrays hold scalars. */
function plain(depth) {
  const kind = depth > 0 ? below(4) : 0
  if (kind === 1) return many(3, scalar)
  return kind === 2 ? object(() => plain(depth - 1)) : scalar()
}

/** Documents whose arrays may hold objects. */
function rich(depth) {
  const kind = depth > 0 ? below(4) : 0
  if (kind === 1) return many(3, () => (below(2) ? scalar() : object(scalar)))
  return kind === 2 ? object(() => rich(depth - 1)) : scalar()
}

const path = () => ['data', pick(keys), ...many(2, () => pick([...keys, '0', '1']))].join('.')
const present = () => pick(scalars)
const bound = () => pick([0, 1, 1.5, '', 'a', 'b', true, false])
const list = make => () => many(3, make)

const regex = () => pick([/a/, /^b/, /^$/, /1|b/, /^A$/i])
const types = () => pick(['number', 'string', 'bool', 'null', 'object', 'array'])
const textual = make => () => (below(5) ? make() : regex())

const ranges = { $gt: bound, $gte: bound, $lt: bound, $lte: bound }
/** Of one member of an array. */
const ofMember = () => {
  const name = pick(Object.keys(ranges))
  return { [name]: ranges[name](), ...pick([{}, { $ne: scalar() }, { $regex: regex() }]) }
}
const ofObject = () => ({ [pick(keys)]: pick([present, regex])(), ...pick([{}, { a: 1 }]) })
const positive = {
  ...ranges,
  $eq: present,
  $in: list(textual(present)),
  $regex: regex,
  $all: () => many(2, textual(present)),
  $mod: () => [pick([1, 2, -2]), pick([0, 1, -1])],
}
const every = {
  ...ranges,
  $eq: () => (below(4) ? scalar() : many(3, scalar)),
  $ne: () => (below(4) ? scalar() : many(3, scalar)),
  $in: () => many(3, textual(scalar)),
  $nin: () => many(3, textual(scalar)),
  $exists: () => below(2) === 0,
  $regex: regex,
  $all: () => many(2, textual(scalar)),
  $mod: positive.$mod,
  $type: () => pick([types, () => [types(), types()]])(),
  $size: () => below(4),
  $elemMatch: ofMember,
}

/** The same query in the words in which mingo does as the manual of MongoDB says. */
function manual(query) {
  const parts = Object.entries(query).flatMap(([path, value]) => {
    if (path.startsWith('$')) return [{ [path]: value.map(manual) }]
    return tests(value)
      ? Object.entries(value).map(one => equal(path, ...one))
      : [{ [path]: value }]
  })
  return parts.length === 1 ? parts[0] : { $and: parts }
}

const tests = value =>
  Object.getPrototypeOf(value ?? 0) === Object.prototype &&
  Object.keys(value).some(key => key.startsWith('$'))

function equal(path, name, value) {
  const members = test => ({ $or: [{ [path]: test }, { [path]: { $elemMatch: test } }] })
  switch (name) {
    case '$not': // The negation of all that stands in it.
      return value instanceof RegExp
        ? { [path]: { $not: value } }
        : { $nor: [manual({ [path]: value })] }
    case '$all': // "equivalent to an $and operation of the specified values"
      return value.length === 0
        ? { [path]: { $in: [] } }
        : { $and: value.map(one => ({ [path]: one })) }
    case '$type': // "returns documents in which at least one array element matches a type"
      return members({ $type: value })
    case '$mod': // Only numbers have a remainder.
      return members({ $type: 'number', $mod: value })
    default:
      return { [path]: { [name]: value } }
  }
}

/** Makes conditions of some operators; `negates` allows $not and $nor. */
function maker(operators, negates) {
  const condition = () => {
    const name = pick(Object.keys(operators))
    return { [name]: operators[name]() }
  }
  const logical = negates ? ['$and', '$or', '$nor'] : ['$and', '$or']
  return function clause(depth) {
    const kind = below(depth > 0 ? 6 : 3)
    if (kind === 0) return { [path()]: operators.$eq() }
    if (kind === 1 && negates) return { [path()]: { $not: condition() } }
    if (kind < 4) return { [path()]: { ...condition(), ...condition() } }
    return { [pick(logical)]: [clause(depth - 1), ...many(2, () => clause(depth - 1))] }
  }
}

/** Of each round: tasks, and cases on them. */
const ROUNDS = 20
const TASKS = 50
const CASES = 250

async function compare(t, made) {
  t.diagnostic(`SEED=${seed}`)
  let found = 0
  for (let n = 0; n < ROUNDS; n += 1) {
    const tasker = open(t)
    const definitions = Array.from({ length: TASKS }, () => ({
      operation: pick(['x', 'y']),
      data: object(() => made.value(3)),
      priority: below(3),
    }))
    await tasker.addTasks(definitions)
    const documents = await tasker.findTasks()
    for (let m = 0; m < CASES; m += 1) found += await compareOne(tasker, documents, made)
    await tasker.close()
  }
  assert.ok(found > made.least, `the queries found too little to mean anything: ${found}`)
}

/** One case; how many tasks it compared. */
async function compareOne(tasker, documents, { clause, isOutside = () => false }) {
  const query = { ...clause(2), ...pick([{}, {}, { operation: 'x' }, { priority: { $gt: 0 } }]) }
  const sort = pick([undefined, undefined, sortOf()])
  const fields = pick([undefined, fieldsOf()])
  const [paths, sorted] = [pathsOf(query), Object.keys(sort ?? {}).filter(isInner)]
  const inside = documents.filter(
    ({ data }) =>
      !paths.some(path => isOutside(data, partsOf(path), query)) &&
      !sorted.some(path => isUnsorted(data, partsOf(path))),
  )
  const projection = Object.fromEntries((fields ?? ['seq']).map(path => [path, 1]))
  const cursor = new Query(manual(query)).find(inside, { ...projection, _id: 0 })
  const expected = (sort ? cursor.sort(sort) : cursor).all()
  const seqs = new Set(inside.map(({ seq }) => seq))
  const all = await tasker.findTasks(query, { sort, fields })
  const actual = all.filter(({ seq }) => seqs.has(seq))
  const shown = fields ? actual : actual.map(({ seq }) => ({ seq }))
  const text = () => `SEED=${seed} ${inspect({ query, sort, fields }, { depth: 9 })}`
  if (!isDeepStrictEqual(shown, expected)) {
    const wrong = difference(expected, shown)
    const { data } = documents.find(({ seq }) => seq === wrong?.seq) ?? {}
    assert.deepEqual(shown, expected, `${text()} on ${JSON.stringify(data)}`)
  }
  assert.equal(await tasker.countTasks(query), all.length, text())
  return expected.length
}

const isInner = path => path.startsWith('data.')
const partsOf = path => path.split('.').slice(1)

const sortOf = () => ({
  ...pick([{}, { operation: pick([1, -1]) }]),
  [path()]: pick([1, -1]),
  ...pick([{}, { priority: 1 }]),
})

/** Paths of which none lies in another, and `seq`. */
function fieldsOf() {
  const inner = ['data', pick(keys), ...many(2, () => pick(keys))].join('.')
  const second = ['data', pick(keys), ...many(1, () => pick(keys))].join('.')
  const meets = `${second}.`.startsWith(`${inner}.`) || `${inner}.`.startsWith(`${second}.`)
  return ['seq', inner, ...(meets ? [] : [second]), ...pick([[], ['status', 'priority']])]
}

/** The paths into `data` that a query uses. */
function pathsOf(query) {
  const nested = Object.keys(query).filter(key => key.startsWith('$'))
  return [
    ...Object.keys(query).filter(isInner),
    ...nested.flatMap(key => query[key].flatMap(pathsOf)),
  ]
}

/** Whether a path goes on behind an array, or beyond its end. */
function passesArray(value, [first, ...rest]) {
  if (Array.isArray(value)) return first !== undefined && (rest.length > 0 || !(first in value))
  if (first === undefined || typeof value !== 'object' || value === null) return false
  return passesArray(value[first], rest)
}

/** Whether a path leads to an array of which not all members are objects. */
function mixes(value, [first, ...rest]) {
  if (Array.isArray(value) && value.some(member => typeof member !== 'object' || !member))
    return true
  if (first === undefined || typeof value !== 'object' || value === null) return false
  const inner = Array.isArray(value) ? value.map(member => mixes(member, [first, ...rest])) : []
  return inner.includes(true) || mixes(value[first], rest)
}

const asksMembers = query => inspect(query, { depth: 9 }).includes('$elemMatch')

/** Whether a path meets an array, or ends at an object or at a null that is there. */
function isUnsorted(value, [first, ...rest]) {
  if (Array.isArray(value)) return true
  if (typeof value !== 'object') return false
  if (first === undefined || value === null) return first === undefined
  return isUnsorted(value[first], rest)
}

/** The first task that is in one list only. */
function difference(some, others) {
  const seqs = [some, others].map(tasks => new Set(tasks.map(({ seq }) => seq)))
  return [...some, ...others].find(({ seq }) => !(seqs[0].has(seq) && seqs[1].has(seq)))
}

test(`findTasks finds what mingo finds (seed ${seed})`, t =>
  compare(t, { value: plain, clause: maker(every, true), isOutside: passesArray, least: 40_000 }))

test(`findTasks finds what mingo finds in arrays of objects (seed ${seed})`, t =>
  compare(t, {
    value: rich,
    clause: maker({ ...positive, $elemMatch: ofObject }, false),
    isOutside: (data, parts, query) =>
      asksMembers(query) && (mixes(data, parts) || passesArray(data, parts)),
    least: 200,
  }))
