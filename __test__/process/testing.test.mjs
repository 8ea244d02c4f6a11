// `tasker/testing` over the life of a process: what a kill leaves, who else may open the file,
// fakes that were on before the import.

import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { folder, run, runs } from '../contract/open.mjs'

const imports = "import { openTest } from './testing.mjs'\n"
const foldersIn = place => readdirSync(place).filter(name => name.startsWith('tasker-test-'))

test('an exit leaves nothing, and what a kill leaves goes with the next test', async () => {
  const TMPDIR = folder()
  const left = `${imports}
    const { tasker } = await openTest()
    await tasker.addTask({ operation: 'a', delay: '1h' })
  `
  await runs(`${left}process.exit()`, { env: { TMPDIR } })
  assert.deepEqual(foldersIn(TMPDIR), [])
  const killed = await run(`${left}process.kill(process.pid, 'SIGKILL')`, { env: { TMPDIR } })
  assert.equal(killed.signal, 'SIGKILL')
  assert.equal(foldersIn(TMPDIR).length, 1)
  await runs(`${imports}await (await openTest()).close()`, { env: { TMPDIR } })
  assert.deepEqual(foldersIn(TMPDIR), [])
})

test('nobody but the taskers of a test opens its file', async () => {
  const TMPDIR = folder()
  const script = `${imports}
    import { readdirSync } from 'node:fs'
    import { Tasker } from './index.mjs'
    const { tasker, open, close } = await openTest()
    const [name] = readdirSync(process.env.TMPDIR).filter(name => name.startsWith('tasker-test-'))
    const store = process.env.TMPDIR + '/' + name + '/tasks.db'
    for (const exclusive of [false, true]) {
      const stranger = new Tasker({ store, exclusive })
      await stranger.ready().catch(error => console.log(error.code, error.pid === process.pid))
    }
    await open().ready()
    await close()
  `
  const out = await runs(script, { env: { TMPDIR } })
  assert.equal(out, 'TASKER_LOCKED true\n'.repeat(2))
})

const fakes = {
  'mock.timers of node:test': "import { mock } from 'node:test'\nmock.timers.enable()\n",
  'a setTimeout by hand': 'import timers from "node:timers"\ntimers.setTimeout = () => ({})\n',
  'a setImmediate by hand': 'import timers from "node:timers"\ntimers.setImmediate = () => ({})\n',
}

for (const [name, turnOn] of Object.entries(fakes)) {
  test(`${name}, on before the import, refuses a test and says what to do`, async () => {
    const script = `${turnOn}
      const { openTest } = await import('./testing.mjs')
      await openTest().catch(error => console.log(error.code, error.message))
    `
    const out = await runs(script)
    assert.match(
      out,
      /^TASKER_UNSUPPORTED set(Timeout|Immediate) was a fake .* import 'tasker\/testing' before/,
    )
  })
}

test('fakes that come later are none of its business', async () => {
  const script = `${imports}
    import { mock } from 'node:test'
    mock.timers.enable()
    const { tasker, clock, expectTask, close } = await openTest()
    tasker.assignRunner('a', () => clock.now().toISOString())
    await tasker.start()
    await tasker.addTask({ operation: 'a', delay: '1h' })
    await clock.advance('1h')
    console.log((await expectTask({})).result)
    await close()
  `
  assert.equal(await runs(script), '2030-01-01T01:00:00.000Z\n')
})

test('a worker thread has tests of its own', async () => {
  const script = `
    import { Worker } from 'node:worker_threads'
    import { pathToFileURL } from 'node:url'
    const here = name => new URL(name, pathToFileURL(process.cwd() + '/')).href
    const program = \`
      import('\${here('./testing.mjs')}').then(async ({ openTest }) => {
        const { tasker, clock } = await openTest()
        tasker.assignRunner('a', () => 1)
        await tasker.start()
        await tasker.addTask({ operation: 'a', delay: '1d' })
        await clock.runAll()
        console.log(clock.now().toISOString())
        process.exit()
      })
    \`
    new Worker(program, { eval: true })
  `
  assert.equal(await runs(script), '2030-01-02T00:00:00.000Z\n')
})
