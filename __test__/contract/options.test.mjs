import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { Tasker, TaskerError } from '../../index.mjs'
import { folder, gate, imports, open, runs } from './open.mjs'

test('the constructor checks its options at once and throws', () => {
  const wrong = [
    [7, 'options'],
    [null, 'options'],
    [[], 'options'],
    ['', 'store'],
    [{ store: '' }, 'store'],
    [{ store: 7 }, 'store'],
    [{ store: null }, 'store'],
    [{ store: 'a\0b' }, 'store'],
    [{ storage: 'x' }, 'storage'],
    [{ concurrency: 0 }, 'concurrency'],
    [{ concurrency: 1.5 }, 'concurrency'],
    [{ concurrency: Infinity }, 'concurrency'],
    [{ concurrency: Number.NaN }, 'concurrency'],
    [{ concurrency: null }, 'concurrency'],
    [{ concurrency: '4' }, 'concurrency'],
    [{ concurrency: () => 4 }, 'concurrency'],
    [{ concurrency: 4n }, 'concurrency'],
    [{ durability: 'maybe' }, 'durability'],
    [{ logLevel: 'trace' }, 'logLevel'],
    [{ onInterrupted: 'cry' }, 'onInterrupted'],
    [{ onStop: 'never' }, 'onStop'],
    [{ runTimeout: 0 }, 'runTimeout'],
    [{ runTimeout: true }, 'runTimeout'],
    [{ runTimeout: Symbol('s') }, 'runTimeout'],
    [{ keepAlive: true }, 'keepAlive'],
    [{ captureContext: 'yes' }, 'captureContext'],
    [{ exclusive: 1 }, 'exclusive'],
    [{ exclusive: null }, 'exclusive'],
    [{ events: 'some' }, 'events'],
    [{ events: true }, 'events'],
    [{ events: ['all'] }, 'events'],
    [{ runners: [] }, 'runners'],
    [{ runners: new Map([['a', () => {}]]) }, 'runners'],
    [{ runners: new (class Empty {})() }, 'runners'],
    [new Map([['store', 'x']]), 'options'],
    [new Set(), 'options'],
    [Buffer.alloc(0), 'options'],
    [new Date(), 'options'],
    [new (class Config {})(), 'options'],
    [new URL('https://example.org/tasks.db#x'), 'store', 'TASKER_UNSUPPORTED'],
    ['file:tasks.db', 'store'],
    ['file::memory:', 'store'],
    ['file:///tasks.db?mode=ro', 'store'],
    [{ store: new URL('file:///a%2Fb') }, 'store'],
    [{ runners: { a: 1 } }, 'runner'],
    [{ runners: { '': () => {} } }, 'operation'],
    [{ runners: { 'half \ud83d': () => {} } }, 'operation'],
  ]
  for (const [options, path, code = 'TASKER_INVALID'] of wrong) {
    const expected = { name: 'TaskerError', code, path }
    assert.throws(() => new Tasker(options), expected, String(path))
  }
})

test('an option that nobody knows is wrong', async t => {
  const tasker = open(t)
  const calls = {
    constructor: option => new Tasker({ store: ':memory:', ...option }),
    addTask: option => tasker.addTask({ operation: 'a', ...option }),
    assignRunner: option => tasker.assignRunner('a', () => {}, option),
  }
  for (const [call, make] of Object.entries(calls)) {
    const refuse = async word => await make({ [word]: 1 })
    for (const word of ['oops', 'attempts', 'thread', 'RETRY']) {
      const expected = { code: 'TASKER_INVALID', path: word }
      await assert.rejects(refuse(word), expected, `${call} ${word}`)
    }
  }
  const one = [{ operation: 'a' }, { operation: 'a', onStopWaiting: 2 }]
  const inList = { code: 'TASKER_INVALID', path: '[1].onStopWaiting' }
  await assert.rejects(tasker.addTasks(one), inList)
})

test('a form of an option that comes later is unsupported', t => {
  const tasker = open(t)
  const perValue = { concurrency: { limit: 4, by: 'data.key' } }
  const assign = (runner, options) => () => tasker.assignRunner('a', runner, options)
  const unsupported = path => ({ code: 'TASKER_UNSUPPORTED', path })
  const noop = () => {}
  assert.throws(assign(noop, perValue), unsupported('concurrency'))
})

test('a Redis address is unsupported and never a file of that name', () => {
  for (const store of ['redis://localhost', 'rediss://localhost:6379/0', 'REDIS://x']) {
    const expected = { code: 'TASKER_UNSUPPORTED', path: 'store' }
    assert.throws(() => new Tasker(store), expected)
    assert.throws(() => new Tasker({ store }), expected)
    assert.equal(existsSync(store), false)
  }
})

test('an address of another server is unsupported, and never a file of that name (N-4)', () => {
  for (const store of [
    'postgres://localhost/app',
    'mongodb+srv://x',
    'https://x/y',
    'sqlite:///x',
  ]) {
    const expected = {
      code: 'TASKER_UNSUPPORTED',
      path: 'store',
      message: /SQLite file of its own/,
    }
    assert.throws(() => new Tasker(store), expected)
    assert.throws(() => new Tasker({ store: new URL(store) }), expected)
  }
})

test('the store may be a file: URL, as an object or a text, beside the module (N-4)', async () => {
  const path = join(folder(), 'with space %.db')
  const url = pathToFileURL(path)
  for (const given of [url, { store: url }, url.href, { store: url.href }, path]) {
    const tasker = new Tasker(given)
    await tasker.addTask({ operation: 'a' })
    await tasker.close()
  }
  const tasker = new Tasker(path)
  assert.equal(await tasker.countTasks(), 5)
  await tasker.close()
})

test('an instance of a class may hold options: getters of its class count (B-10)', async t => {
  class Config {
    get store() {
      return ':memory:'
    }
    get runners() {
      return { a: () => 'ran' }
    }
  }
  const tasker = new Tasker(new Config())
  t.after(() => tasker.close())
  await tasker.start()
  class Newest {
    get sort() {
      return { priority: -1 }
    }
  }
  const uuids = []
  for (const priority of [1, 2]) uuids.push(await tasker.addTask({ operation: 'b', priority }))
  assert.equal((await tasker.findTask({}, new Newest())).uuid, uuids[1])
  await assert.rejects(tasker.findTask({}, new Map()), { code: 'TASKER_INVALID', path: 'options' })
  await assert.rejects(tasker.stop(new URL('file:///x')), { code: 'TASKER_INVALID' })
  assert.equal(await tasker.waitForTaskOutputData(await tasker.addTask({ operation: 'a' })), 'ran')
})

test('runners may be methods of an instance, also inherited, with its `this` (B-10)', async t => {
  class Base {
    greeting = 'hi'
    inherited({ data }) {
      return `${this.greeting} ${data}`
    }
  }
  class Handlers extends Base {
    #secret = 'secret'
    own = () => this.#secret
    async greet({ data }) {
      return `${this.#secret} ${data}`
    }
  }
  const tasker = open(t, { runners: new Handlers() })
  await tasker.start()
  const results = []
  for (const operation of ['inherited', 'greet', 'own']) {
    const uuid = await tasker.addTask({ operation, data: 'you' })
    results.push(await tasker.waitForTaskOutputData(uuid))
  }
  assert.deepEqual(results, ['hi you', 'secret you', 'secret'])
  assert.throws(() => tasker.assignRunner('greet', () => {}), { code: 'TASKER_CONFLICT' })
})

test('every option may be undefined', async t => {
  const names = 'runners concurrency durability logLevel onInterrupted onStop runTimeout keepAlive'
  const options = Object.fromEntries(names.split(' ').map(name => [name, undefined]))
  const rest = { captureContext: undefined, exclusive: undefined, events: undefined }
  const tasker = open(t, { ...options, ...rest })
  await tasker.ready()
})

test('every word of every option is accepted', async t => {
  const hold = setInterval(() => {}, 2 ** 30) // With keepAlive 'never' nothing else would.
  t.after(() => clearInterval(hold))
  const words = {
    durability: ['full', 'process'],
    logLevel: ['crit', 'error', 'warning', 'notice', 'info', 'debug'],
    onInterrupted: ['retry', 'abort', 'fail'],
    onStop: ['wait', 'postpone', 'abort'],
    onStopWaiting: ['keep', 'abort'],
    runTimeout: [1, '1s', '1.5h', false],
    queueTimeout: [1, '1s', { after: '1h', then: { priority: Infinity } }, false],
    keepAlive: ['auto', 'always', 'never'],
    captureContext: [true, false],
    exclusive: [true, false],
    events: ['own', 'all'],
    concurrency: [1, 100_000],
  }
  for (const [name, values] of Object.entries(words)) {
    for (const value of values) {
      const tasker = open(t, { [name]: value })
      await tasker.ready()
      await tasker.close()
    }
  }
})

test('a text is short for the store, and tasker.db is the default', async () => {
  const path = folder()
  const script = `
    const { Tasker } = await import(${JSON.stringify(new URL('../../index.mjs', import.meta.url))})
    process.chdir(${JSON.stringify(path)})
    for (const args of [['named.db'], []]) {
      const tasker = new Tasker(...args)
      await tasker.addTask({ operation: 'a' })
      await tasker.close()
    }
  `
  await runs(script)
  assert.ok(existsSync(join(path, 'named.db')))
  assert.ok(existsSync(join(path, 'tasker.db')))
})

test('runners may be given at once', async t => {
  const { runner, call } = gate()
  const tasker = open(t, { runners: { a: runner } })
  await tasker.start()
  await tasker.addTask({ operation: 'a' })
  assert.equal((await call(0)).context.operation, 'a')
  assert.throws(() => tasker.assignRunner('a', () => {}), { code: 'TASKER_CONFLICT' })
})

test('a runner that is undefined counts as absent', async t => {
  const tasker = open(t, { runners: { a: undefined, b: () => 2 } })
  assert.equal(await tasker.unassignRunner('a'), false)
  tasker.assignRunner('a', () => 1)
  assert.equal(await tasker.unassignRunner('b'), true)
})

test('a TaskerError is an Error with a code', () => {
  const error = new TaskerError('TASKER_BUG', 'text', { path: 'p', pid: 1, uuids: ['u'] })
  assert.ok(error instanceof Error)
  assert.deepEqual(
    [error.name, error.code, error.message, error.path, error.pid, error.uuids],
    ['TaskerError', 'TASKER_BUG', 'text', 'p', 1, ['u']],
  )
  assert.match(error.stack, /^TaskerError: text/)
})

test('import and require share one class', async () => {
  const all = 'RetryLater,Tasker,TaskerError,Unrecoverable,nextTimes'
  const script = `
    import { createRequire } from 'node:module'
    import * as esm from './index.mjs'
    const cjs = createRequire(process.cwd() + '/')('./dist/index.js')
    console.log(Object.keys(cjs).sort().join(), Object.keys(esm).sort().join())
    console.log(cjs.Tasker === esm.Tasker, cjs.TaskerError === esm.TaskerError)
  `
  assert.equal(await runs(script), `${all} ${all}\ntrue true\n`)
})

test('works where __proto__ is disabled (A-11)', async () => {
  const script = `${imports}
    const tasker = new Tasker({ store: ':memory:', runners: { a: ({ data }) => data } })
    tasker.on('task.done', () => {})
    await tasker.start()
    const data = JSON.parse('{"__proto__":{"x":1}}')
    const uuid = await tasker.addTask({ operation: 'a', data, priority: Infinity })
    console.log(JSON.stringify(await tasker.waitForTaskOutputData(uuid)))
    console.log(await tasker.countTasks({ 'data.__proto__.x': 1 }))
    await tasker.close()
  `
  const out = await runs(script, { flags: ['--disable-proto=throw'] })
  assert.equal(out, '{"__proto__":{"x":1}}\n1\n')
})
