// A runner that does what the data of its task names: beside its tasker or in a thread, the same.

import { RetryLater, TaskerError, Unrecoverable } from '../../../index.mjs'

/** What is to be seen of an error. */
const shown = error => ({
  isOurs: error instanceof TaskerError,
  isError: error instanceof Error,
  ...{ name: error.name, code: error.code, path: error.path, message: error.message },
  traces: /cases\.mjs/.test(error.stack),
})

const refusal = async call => {
  try {
    await call()
  } catch (error) {
    return shown(error)
  }
  return 'nothing was refused'
}

class QuotaError extends Error {
  name = 'QuotaError'
  code = 'E_QUOTA'
  retryAfter = 30
}

export const cases = {
  facts({ uuid, runId, createdAt, startedAt, ...context }) {
    const types = [uuid, runId, createdAt, startedAt].map(value => value.constructor.name)
    const isOrdered = createdAt <= startedAt
    const { operation, data, id, label, tags, attempt, priority, trace, scheduleId } = context
    const known = { operation, data, id, label, tags, attempt, priority, trace, scheduleId }
    const own = Object.hasOwn(data.odd, '__proto__')
    return { types, isOrdered, ...known, own, keys: Object.keys(context) }
  },
  logs({ logger }) {
    for (const level of ['crit', 'error', 'warning', 'notice', 'info', 'debug']) {
      logger[level](`a line of ${level}`, { level })
    }
    logger.warn('as most call it')
    logger.log('notice', 'by a word', { n: 1 })
    logger.log('loud', 'by no word')
    const child = logger.child({ of: 'a child' })
    child.info('own fields win', { of: 'the line' })
    child.child({ deep: true }).error('of a grandchild', new QuotaError('in fields'))
    logger.info('left out', { n: 1n })
    const { info } = logger
    info('by itself')
  },
  manyLogs({ logger }) {
    for (let n = 0; n < 10_100; n += 1) logger.info(`line ${n}`)
  },
  progress({ progress }) {
    progress(1)
    progress(2, 4)
    progress(3, 4, 'pages')
  },
  badProgress: ({ progress }) => refusal(() => progress(Number.NaN)),
  badUnit: ({ progress }) => refusal(() => progress(1, 2, 'x'.repeat(65))),
  badSnooze: ({ snooze }) => refusal(() => snooze('soon')),
  snooze({ snooze, createdAt, startedAt }) {
    if (startedAt - createdAt >= 3_600_000) return 'went on'
    snooze('1h')
    return 'is dropped'
  },
  badHold: ({ hold }) => refusal(() => hold({ query: {}, delay: 1 })),
  farHold: ({ hold }) => refusal(() => hold({ query: {}, until: 8.64e15 })),
  hold: async ({ hold }) =>
    typeof (await hold({ query: { label: /^held/ }, until: new Date(Date.now() + 60_000) })),
  async addTask({ addTask }) {
    const child = { operation: 'child', data: { n: 1 }, priority: Number.POSITIVE_INFINITY }
    const uuid = await addTask({ ...child, runAt: new Date('2040-01-01') })
    return typeof uuid
  },
  async addAndWait({ addTask }) {
    const all = await Promise.all([1, 2, 3].map(n => addTask({ operation: 'child', data: n })))
    return new Set(all).size
  },
  addOfMemory: ({ addTask, data: { path } }) =>
    refusal(() => addTask({ operation: 'child', [path]: new AbortController().signal })),
  badAdd: ({ addTask }) => refusal(() => addTask({ operation: 'child', data: 1n })),
  unknownAdd: ({ addTask }) => refusal(() => addTask({ operation: 'child', dat: 1 })),
  badSchema: ({ addTask }) => refusal(() => addTask({ operation: 'strict', data: 1 })),
  async duplicate({ addTask }) {
    const unique = { key: 'one', onConflict: 'reject' }
    const first = await addTask({ operation: 'child', unique, runAt: new Date('2040-01-01') })
    try {
      await addTask({ operation: 'child', unique })
    } catch (error) {
      return { ...shown(error), message: '', isFirst: error.uuid === first }
    }
  },
  results: ({ results }) => results(),
  async checkpoint({ checkpoint }) {
    await checkpoint()
    await checkpoint()
    return 'went on'
  },
  nothing() {},
  null: () => null,
  proto: () => JSON.parse('{"__proto__":{"a":1},"date":"kept"}'),
  date: () => ({ at: new Date(0), gone: undefined, not: Number.NaN }),
  function: () => () => {},
  map: () => new Map([['a', 1]]),
  bigint: () => ({ n: 1n }),
  error: () => new Error('returned'),
  large: () => 'x'.repeat(16 * 1024 * 1024),
  cycle() {
    const self = {}
    self.self = self
    return self
  },
  throws() {
    throw new QuotaError('no room', { cause: new TypeError('HTTP 429') })
  },
  throwsText() {
    throw 'a text'
  },
  throwsNothing() {
    throw undefined
  },
  throwsMany() {
    throw new AggregateError([new Error('one'), new QuotaError('two')], 'both')
  },
  throwsOurs() {
    throw new TaskerError('TASKER_LIMIT', 'full', { path: 'x', uuid: 'y', cause: 7 })
  },
  unrecoverable({ progress, attempt }) {
    progress(attempt)
    throw new Unrecoverable('never', { cause: new Error('why') })
  },
  retryLater() {
    throw new RetryLater({ delay: '1h', message: 'later', counts: true })
  },
  async retries({ attempt }) {
    await null
    if (attempt < 3) throw new Error(`attempt ${attempt}`)
    return attempt
  },
}

export default context => cases[context.data.case](context)
