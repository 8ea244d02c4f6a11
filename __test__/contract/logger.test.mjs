// The option `logger`: where the engine's own messages go.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Tasker } from '../../index.mjs'
import { file, imports, keeper, open, run, runs } from './open.mjs'

const textsOf = told => told.map(([level, text]) => `${level} ${text}`)

test('a logger is told what the engine does, and nothing of each task', async t => {
  const { told, logger } = keeper()
  const tasker = open(t, { logger, runners: { greet: () => 'secret' } })
  await tasker.start()
  const uuid = await tasker.addTask({ operation: 'greet', data: 'secret' })
  await tasker.waitForTaskOutputData(uuid)
  await tasker.close({ timeout: 5_000 })
  assert.deepEqual(textsOf(told), [
    'info tasker: start',
    'info tasker: close',
    'info tasker: closed',
  ])
  assert.deepEqual(told[1], ['info', 'tasker: close', { timeoutMs: 5_000 }])
})

test('a logger whose level is debug hears of each call and run, and of no data', async t => {
  const { told, logger } = keeper({ level: 'debug' })
  const tasker = open(t, { logger, runners: { greet: () => 'secret' } })
  await tasker.start()
  const uuid = await tasker.addTask({ operation: 'greet', data: 'secret' })
  await tasker.waitForTaskOutputData(uuid)
  await tasker.close()
  const texts = textsOf(told)
  for (const text of ['runner assigned', 'add', 'run started', 'run ended']) {
    assert.ok(texts.includes(`debug tasker: ${text}`), `${text} in ${texts}`)
  }
  assert.ok(told.some(([, , fields]) => fields?.uuid === uuid && fields.operation === 'greet'))
  assert.ok(!JSON.stringify(told).includes('secret'))
})

test('a logger like pino gets what belongs to a message first, and keeps its this', async t => {
  const told = []
  class Pinoish {
    level = 'info'
    bindings() {}
    debug() {}
    info(...args) {
      assert.ok(this instanceof Pinoish)
      told.push(args)
    }
    warning() {}
    error() {}
  }
  const tasker = open(t, { logger: new Pinoish() })
  await tasker.start()
  await tasker.stop({ onStop: 'abort' })
  await tasker.close()
  assert.deepEqual(told[0], ['tasker: start'])
  assert.deepEqual(told[1], [{ onStop: 'abort' }, 'tasker: stop'])
})

test('each tasker tells its own logger', async t => {
  const [one, other] = [keeper(), keeper()]
  const store = file()
  const taskers = [one, other].map(({ logger }) => open(t, { store, logger }))
  await taskers[0].start()
  for (const tasker of taskers) await tasker.close()
  assert.deepEqual(textsOf(one.told).slice(0, 2), ['info tasker: start', 'info tasker: close'])
  assert.deepEqual(textsOf(other.told), ['info tasker: close', 'info tasker: closed'])
})

test('runs of a process that has died are told to whoever recovers them', async t => {
  const store = file()
  const script = `${imports}
    const tasker = new Tasker({ store: ${JSON.stringify(store)}, runners: {
      hang: () => process.kill(process.pid, 'SIGKILL'),
    } })
    await tasker.start()
    await tasker.addTask({ operation: 'hang' })
  `
  await run(script)
  const { told, logger } = keeper()
  const tasker = open(t, { store, logger })
  await tasker.ready()
  const recovered = ['info', 'tasker: runs of a process that has died are recovered', { runs: 1 }]
  assert.deepEqual(told, [recovered])
})

test('a logger that throws is an uncaught exception and harms nothing', async () => {
  const script = `${imports}
    const told = []
    process.on('uncaughtException', error => told.push(error.message))
    const fails = () => { throw new Error('no disk') }
    const logger = { debug: fails, info: fails, warn: fails, error: fails }
    const tasker = new Tasker({ store: ':memory:', logger, runners: { greet: () => 'hello' } })
    await tasker.start()
    const uuid = await tasker.addTask({ operation: 'greet' })
    console.log(await tasker.waitForTaskOutputData(uuid))
    await tasker.close()
    await new Promise(setImmediate)
    console.log(new Set(told))
  `
  assert.equal(await runs(script), "hello\nSet(1) { 'no disk' }\n")
})

test('what is no logger is refused with its path', () => {
  const refusals = [
    ['console', 'logger', /must be an object/],
    [{}, 'logger.debug', /must be a function/],
    [{ debug() {}, info() {}, error() {} }, 'logger.warn', /warn \(or warning\)/],
    [{ debug() {}, info() {}, warn() {}, error: true }, 'logger.error', /must be a function/],
  ]
  for (const [logger, path, message] of refusals) {
    const refused = { code: 'TASKER_INVALID', path, message }
    assert.throws(() => new Tasker({ store: ':memory:', logger }), refused)
  }
})
