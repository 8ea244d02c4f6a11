// Silence is a fault: what nobody would notice is one process warning for its cause.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { file, imports, open, rejection, run, runs, started } from './open.mjs'

const begin = `${imports}
  import { once } from 'node:events'
  const codes = []
  process.on('warning', ({ code, message }) => codes.push([code, message]))
  const turn = () => new Promise(resolve => setImmediate(resolve))
  const boom = ({ operation }) => { throw new RangeError('boom of ' + operation) }
  const endOf = (tasker, operation) => new Promise(async resolve => {
    const uuid = await tasker.addTask({ operation })
    const look = async () => {
      const { status } = await other.getTask(uuid)
      if (status === 'new' || status === 'running') setImmediate(look)
      else resolve(uuid)
    }
    look()
  })
`
/** The warnings of a script, which closes what it opens. */
const warnings = async script =>
  JSON.parse(await runs(`${begin}${script}\nawait turn(); console.log(JSON.stringify(codes))`))

test('a failure that nobody hears is told once for its operation', async () => {
  const told = await warnings(`
    const store = ${JSON.stringify(file())}
    const runners = { a: boom, b: boom }
    const tasker = new Tasker({ store, runners, durability: 'process' })
    const other = new Tasker({ store, durability: 'process' })
    await tasker.start()
    for (const operation of ['a', 'a', 'b']) await endOf(tasker, operation)
    await other.close()
    await tasker.close()
  `)
  assert.deepEqual(
    told.map(([code]) => code),
    ['TASKER_FAILURE_UNHEARD', 'TASKER_FAILURE_UNHEARD'],
  )
  assert.match(told[0][1], /'a' failed.*RangeError: boom of a.*'task\.failed'/)
  assert.match(told[1][1], /'b' failed/)
})

test('a failure that somebody hears, waits for or looks at is not told', async () => {
  const told = await warnings(`
    const options = { store: ':memory:', runners: { a: boom } }
    const heard = new Tasker(options)
    const ended = once(heard, 'task.failed')
    const waited = new Tasker(options)
    const wrapped = new Tasker(options)
    const { emit } = wrapped
    const emitted = new Promise(resolve => {
      wrapped.emit = (event, ...args) => {
        if (event === 'task.failed') resolve()
        return emit.call(wrapped, event, ...args)
      }
    })
    const seen = new Tasker(options)
    const taskers = [heard, waited, wrapped, seen]
    for (const tasker of taskers) await tasker.start()
    const adding = taskers.map(one => one.addTask({ operation: 'a' }))
    const [, uuid, , looked] = await Promise.all(adding)
    await waited.waitForTaskOutputData(uuid).catch(() => {})
    while ((await seen.getTask(looked)).status !== 'failed') await turn()
    await Promise.all([ended, emitted])
    for (const tasker of taskers) await tasker.close()
  `)
  assert.deepEqual(told, [])
})

test('what comes up just before a look is told by the next one, if it lasts', async () => {
  const looks = new URL('looks.mjs', import.meta.url).href
  const told = JSON.parse(
    await runs(`
    import { look } from '${looks}'
    ${begin}
    const store = ${JSON.stringify(file())}
    const tasker = new Tasker({ store, runners: { a: boom }, durability: 'process' })
    const other = new Tasker({ store, durability: 'process' })
    await tasker.start()
    const failed = async () => {
      const uuid = await endOf(tasker, 'a')
      await tasker.ready()
      look()
      return uuid
    }
    await tasker.waitForTaskOutputData(await failed()).catch(() => {})
    look()
    await failed()
    await turn()
    const counts = [codes.length]
    look()
    await turn()
    counts.push(codes.length)
    await other.close()
    await tasker.close()
    console.log(JSON.stringify(counts))
  `),
  )
  assert.deepEqual(told, [0, 1])
})

test('what waits for a runner, and is not paused, is told at an add, or at a start', async () => {
  const told = await warnings(`
    const store = ${JSON.stringify(file())}
    const producer = new Tasker(store)
    await producer.pauseOperation('held')
    await producer.addTasks([{ operation: 'held' }, { operation: 'left' }, { operation: 'mail' }])
    await producer.close()
    const tasker = new Tasker({ store, runners: { mail: () => {} } })
    await tasker.start()
    await tasker.addTasks([{ operation: 'held' }, { operation: 'mial' }, { operation: 'mail' }])
    await tasker.addTask({ operation: 'mial' })
    while (codes.length < 2) await once(process, 'warning')
    await tasker.addTask({ operation: 'mial' })
    await tasker.close()
  `)
  assert.deepEqual(
    told.map(([code]) => code),
    ['TASKER_NO_RUNNER', 'TASKER_NO_RUNNER'],
  )
  assert.deepEqual(told.map(([, message]) => /'(left|mial)'/.exec(message)[1]).sort(), [
    'left',
    'mial',
  ])
  assert.match(told[0][1], /runners here: 'mail'/)
})

test('a runner in another process is one, until that process has gone', async () => {
  const told = await warnings(`
    const store = ${JSON.stringify(file())}
    const tellsOf = async (...operations) => {
      const isTold = one => codes.some(([, message]) => message.includes("'" + one + "' wait"))
      while (!operations.every(isTold)) await once(process, 'warning')
    }
    const other = new Tasker({ store, runners: { mail: () => {} } })
    await other.start()
    await other.addTask({ operation: 'left' })
    const tasker = new Tasker(store)
    await tasker.start()
    await tasker.addTasks([{ operation: 'mail' }, { operation: 'mial' }])
    await tellsOf('left', 'mial')
    codes.push(['TASKER_NO_RUNNER', "'so far' wait"])
    await other.close()
    await tasker.addTask({ operation: 'mail' })
    await tellsOf('mail')
    await tasker.close()
  `)
  const operations = told.map(([, message]) => /'([\w ]+)' wait/.exec(message)[1])
  const at = operations.indexOf('so far')
  assert.deepEqual(new Set(operations.slice(0, at)), new Set(['left', 'mial']))
  assert.ok(operations.slice(at).includes('mail'))
})

test('a wait on a tasker that was never started is told, unless the file is shared', async () => {
  const told = await warnings(`
    const store = ${JSON.stringify(file())}
    const shared = [new Tasker(store), new Tasker(store)]
    for (const tasker of shared) await tasker.ready()
    const tasker = new Tasker(':memory:')
    const waits = []
    for (const one of [shared[0], tasker, tasker]) {
      const uuid = await one.addTask({ operation: 'a' })
      waits.push(one.waitForTaskOutputData(uuid).catch(error => error.code))
    }
    while (codes.length < 1) await once(process, 'warning')
    for (const one of [...shared, tasker]) await one.close()
    await Promise.all(waits)
  `)
  assert.deepEqual(
    told.map(([code]) => code),
    ['TASKER_NOT_STARTED'],
  )
})

test('TASKER_DEBUG=1 prints what the engine does, and no data', async () => {
  const script = `${imports}
    const tasker = new Tasker({ store: ':memory:', runners: { greet: () => 'secret' } })
    await tasker.start()
    const uuid = await tasker.addTask({ operation: 'greet', data: 'secret' })
    await tasker.waitForTaskOutputData(uuid)
    await tasker.close()
    console.log(uuid)
  `
  const { out, err, code } = await run(script, { env: { TASKER_DEBUG: '1' } })
  assert.equal(code, 0, err)
  const lines = ['debug: runner assigned operation=greet', 'debug: add operation=greet']
  lines.push('info: start', 'info: close')
  for (const line of lines) assert.ok(err.includes(`tasker ${line}`), err)
  assert.ok(err.includes(`run started`) && err.includes(out.trim()), err)
  assert.ok(!err.includes('secret'), err)
  assert.equal((await run(script, { env: { TASKER_DEBUG: '0' } })).err, '')
})

test('console.log of a tasker shows its store, state, runners and live runs', async t => {
  const tasker = open(t, { runners: { a: () => new Promise(() => {}) } })
  const shown = () => inspect(tasker).replaceAll(/\s+/g, ' ')
  assert.equal(
    shown(),
    "Tasker { store: ':memory:', state: 'not started', runners: [ 'a' ], liveRuns: 0 }",
  )
  await tasker.start()
  const begun = new Promise(resolve => tasker.once('task.run', resolve))
  await tasker.addTask({ operation: 'a' })
  await begun
  assert.match(shown(), /state: 'started', runners: \[ 'a' \], liveRuns: 1 /)
  await tasker.close({ onStop: 'postpone' })
  assert.match(shown(), /state: 'closed'.*liveRuns: 0 /)
})

test('a refused call shows who called, and a late one says which it was (N-8)', async t => {
  const tasker = await started(t)
  const unknown = '018f0000-0000-7000-8000-000000000000'
  const uuid = await tasker.addTask({ operation: 'never' })
  const calls = {
    getTask: () => tasker.getTask(unknown),
    addTask: () => tasker.addTask({ operation: 'a', onStop: 'never' }),
    addTasks: () => tasker.addTasks([{ operation: 7 }]),
    findTask: () => tasker.findTask({ nothing: 1 }),
    findTasks: () => tasker.findTasks({ nothing: 1 }),
    countTasks: () => tasker.countTasks({ nothing: 1 }),
    hasTask: () => tasker.hasTask({ nothing: 1 }),
    stop: () => tasker.stop({ timeout: 'soon' }),
    close: () => tasker.close({ timeout: 'soon' }),
    prioritizeTask: () => tasker.prioritizeTask(unknown, 1),
    waitForTaskOutputData: () => tasker.waitForTaskOutputData(uuid, { timeout: 1 }),
  }
  async function myHandler(call) {
    return await call()
  }
  for (const [name, call] of Object.entries(calls)) {
    const error = await rejection(myHandler(call))
    assert.match(error.stack, /at async myHandler/, name)
  }
  const late = await rejection(calls.waitForTaskOutputData())
  assert.ok(
    late.message.startsWith(`waitForTaskOutputData('${uuid}') did not finish`),
    late.message,
  )
  await tasker.close()
  const errors = await Promise.all([1, 2].map(() => rejection(myHandler(() => tasker.ready()))))
  assert.notEqual(errors[0], errors[1])
  for (const error of errors) assert.match(error.stack, /at async myHandler/)
})
