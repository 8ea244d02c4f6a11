import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { file, imports, run, runs } from './open.mjs'

// What keeps a process alive, but for its own output.
const resources = `
  const resources = () => process.getActiveResourcesInfo()
    .filter(name => !/^(PipeWrap|TTYWrap|CloseReq)$/.test(name)).join()
`
const left = `${resources}; process.on('exit', () => console.log(resources()))\n`

test('importing starts no thread and no timer', {
  skip: !existsSync('/proc/self/task'),
}, async () => {
  const script = `${resources}
    import { readFileSync, readdirSync } from 'node:fs'
    const name = id => readFileSync('/proc/self/task/' + id + '/comm', 'utf8')
    const threads = () =>
      readdirSync('/proc/self/task').map(name).filter(one => one.startsWith('tasker'))
    const { Tasker } = await import('./index.mjs')
    console.log(threads().length, resources().includes('Timeout'))
    const tasker = new Tasker(':memory:')
    await tasker.ready()
    console.log(threads().length > 0)
    await tasker.close()
    console.log(threads().length)
  `
  assert.equal(await runs(script), '0 false\ntrue\n0\n')
})

test('a tasker that owes nothing lets the process exit', async () => {
  assert.equal(await runs(`${imports}${left}new Tasker(':memory:')`), '\n')
  const script = `${imports}${left}
    const tasker = new Tasker(':memory:')
    await tasker.addTask({ operation: 'a' })
    console.log(await tasker.countTasks())
  `
  assert.equal(await runs(script), '1\n\n')
})

test('a promise that is owed keeps the process alive', async () => {
  const script = `${imports}
    const tasker = new Tasker(${JSON.stringify(file())})
    tasker.addTask({ operation: 'a' }).then(() => console.log('added'))
    tasker.findTasks().then(() => console.log('found'))
  `
  assert.deepEqual((await runs(script)).trim().split('\n').sort(), ['added', 'found'])
})

test('a started tasker keeps the process alive until it stops', async () => {
  const script = `${imports}${left}
    const tasker = new Tasker(':memory:')
    let runs = 0
    tasker.assignRunner('a', async () => {
      runs += 1
      if (runs === 3) tasker.stop().then(() => console.log('stopped after', runs))
    })
    tasker.start()
    for (let n = 0; n < 3; n += 1) tasker.addTask({ operation: 'a' })
  `
  assert.equal(await runs(script), 'stopped after 3\n\n')
})

test('after close nothing is left', async () => {
  const script = `${imports}${resources}
    const hold = setInterval(() => {}, 1e9)
    for (const keepAlive of ['auto', 'always', 'never']) {
      const tasker = new Tasker({ store: ':memory:', keepAlive, runners: { a: () => 1 } })
      await tasker.start()
      const uuid = await tasker.addTask({ operation: 'a' })
      await tasker.waitForTaskOutputData(uuid, { timeout: '1h' })
      const waiting = tasker.addTask({ operation: 'b' })
      tasker.waitForTaskOutputData(await waiting, { timeout: '1h' }).catch(() => {})
      await tasker.close()
      console.log(resources())
    }
    clearInterval(hold)
    console.log(resources())
  `
  assert.equal(await runs(script), 'Timeout\nTimeout\nTimeout\n\n')
})

test('keepAlive never: not even a started tasker keeps the process', async () => {
  const script = `${imports}
    const tasker = new Tasker({ store: ':memory:', keepAlive: 'never' })
    tasker.start()
    process.on('exit', () => console.log('exit'))
  `
  assert.equal(await runs(script), 'exit\n')
})

test('keepAlive always: until it is closed', async () => {
  const script = `${imports}${resources}
    const tasker = new Tasker({ store: ':memory:', keepAlive: 'always' })
    console.log(resources())
    process.on('beforeExit', () => console.log('never before close'))
    setImmediate(() => setImmediate(() => tasker.close().then(() => process.removeAllListeners())))
  `
  assert.equal(await runs(script), 'Timeout\n')
})

test('process.exit with live runs is no crash (F-3)', async () => {
  const script = `${imports}
    const tasker = new Tasker({ store: ${JSON.stringify(file())}, runners: { a: () => {
      setImmediate(() => process.exit(7))
      return new Promise(() => {})
    } } })
    await tasker.start()
    for (let n = 0; n < 50; n += 1) tasker.addTask({ operation: 'a' })
  `
  const { code, signal, err } = await run(script)
  assert.deepEqual({ code, signal }, { code: 7, signal: null }, err)
})

test('an open tasker does not stand in the way of an uncaught exception', async () => {
  const script = `${imports}
    const tasker = new Tasker({ store: ':memory:', runners: { a: () => {
      setImmediate(() => { throw new Error('the user is to blame') })
    } } })
    await tasker.start()
    await tasker.addTask({ operation: 'a' })
  `
  const { code, err } = await run(script)
  assert.equal(code, 1)
  assert.match(err, /the user is to blame/)
})
