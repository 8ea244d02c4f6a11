// The programs of one file do what their first lines say, also when they are killed in the middle.

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { Tasker } from '../../index.mjs'
import { compilePrograms, start, tasksOf } from './example.mjs'

const programs = compilePrograms()

/** A path of a folder for one test. */
function scratch(t) {
  const folder = mkdtempSync(join(tmpdir(), 'tasker-examples-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return name => join(folder, name)
}

const run = (t, name, args, flags) => start(t, join(programs, name), { args, flags })

/** Flags under which a process kills itself right after the n-th call of a function of fs. */
function dyingAfter(n, name) {
  const script = `
    import fs from 'node:fs'
    import { syncBuiltinESMExports } from 'node:module'
    const { ${name}: call } = fs.promises
    let calls = 0
    fs.promises.${name} = async (...args) => {
      await call(...args)
      calls += 1
      if (calls === ${n}) process.kill(process.pid, 'SIGKILL')
    }
    syncBuiltinESMExports()`
  return ['--import', `data:text/javascript,${encodeURIComponent(script)}`]
}

const LOOKS = ['why-not-running.mjs', 'live-logs.mjs', 'wrap.mjs']
for (const name of ['folder.mjs', 'mails.mjs', 'outbox.mjs', ...LOOKS]) {
  test(`${name}: without arguments it says how to use it`, async t => {
    const usage = start(t, join(programs, name), { stdio: ['ignore', 'ignore', 'pipe'] })
    assert.match(await text(usage.child.stderr), /^usage: [\w-]+\.mts <.*\n$/)
    assert.equal(await usage.end, 2)
  })
}

test('wrap.mjs: what is scheduled is invoked, and told again by the next process', async t => {
  const store = scratch(t)('wrap.db')
  const first = run(t, 'wrap.mjs', [store, '5', '3'])
  for (const line of ['scheduled 2', '1: 120', '2: 6']) assert.equal(await first.line(), line)
  assert.equal(await first.end, 0)
  const second = run(t, 'wrap.mjs', [store, '10'])
  const lines = ['scheduled 1', '1: 120', '2: 6', '3: 3628800']
  for (const line of lines) assert.equal(await second.line(), line)
  assert.equal(await second.end, 0)
})

test('folder.mjs: killed in the middle it goes on, and every file is whole (F-1)', async t => {
  const at = scratch(t)
  const names = Array.from({ length: 40 }, (_, n) => `file-${n}.txt`)
  mkdirSync(at('from'))
  for (const name of names) writeFileSync(join(at('from'), name), `${name}\n`.repeat(20_000))
  const args = [at('from'), at('to'), at('folder.db')]
  const first = run(t, 'folder.mjs', args, dyingAfter(20, 'rename'))
  assert.equal(await first.line(), '0 of 40 were there')
  assert.equal(await first.end, 'SIGKILL')

  const second = run(t, 'folder.mjs', args)
  const [begin] = (await second.line()).split(' ')
  assert.ok(Number(begin) > 0 && Number(begin) < 20, `${begin} were there`)
  assert.equal((await second.rest()).at(-1), '40 of 40 done')
  assert.equal(await second.end, 0)
  assert.equal((await tasksOf(at('folder.db'))).length, 40)
  for (const name of names) {
    const packed = readFileSync(join(at('to'), `${name}.gz`))
    assert.equal(gunzipSync(packed).toString(), `${name}\n`.repeat(20_000))
  }
  assert.deepEqual(readdirSync(join(at('to'), 'drafts')), [])
})

test('mails.mjs: a mail that had gone when the process died is not sent twice', async t => {
  const at = scratch(t)
  const mails = Array.from({ length: 8 }, (_, n) => `{"to":"a${n}@example.org","text":"${n}"}\n`)
  const args = [at('spool'), at('mails.db')]
  const first = run(t, 'mails.mjs', args, dyingAfter(3, 'link'))
  first.child.stdin.end(mails.join(''))
  assert.equal(await first.end, 'SIGKILL')

  const second = run(t, 'mails.mjs', args)
  second.child.stdin.end()
  const lines = await second.rest()
  assert.equal(await second.end, 0)
  assert.match(lines.join('\n'), /had been sent$/m)

  const tasks = await tasksOf(at('mails.db'))
  assert.ok(tasks.length >= 3 && tasks.every(({ status }) => status === 'done'))
  assert.ok(tasks.some(({ attempts }) => attempts[0].outcome === 'lost'))
  const sent = readdirSync(at('spool')).filter(name => name.endsWith('.eml'))
  const uuids = tasks.map(({ uuid }) => uuid)
  assert.deepEqual(sent.map(name => basename(name, '.eml')).sort(), uuids.sort())
})

test('outbox.mjs: each order that was stored is confirmed, killed or not (I-20)', async t => {
  const folder = scratch(t)('shop')
  mkdirSync(folder)
  const order = (id, count) => `{"id":${id},"count":${count}}\n`
  const orders = [order(1, 2), order(2, 0), order(3, 1), order(1, 5), order(4, 9)]
  const first = run(t, 'outbox.mjs', [folder])
  first.child.stdin.write(orders.join(''))
  assert.equal(await first.line(), 'order 1 is stored')
  first.child.kill('SIGKILL')
  await first.end

  const second = run(t, 'outbox.mjs', [folder])
  second.child.stdin.end(orders.join(''))
  const lines = await second.rest()
  assert.equal(await second.end, 0)
  assert.ok(lines.includes('order 2 is refused') && lines.includes('order 1 is refused'))
  assert.equal(lines.at(-1), '3 of 3 orders are confirmed')
  const tasks = await tasksOf(join(folder, 'tasks.db'))
  assert.deepEqual(
    tasks.map(({ data, status }) => [data.id, status]),
    [1, 3, 4].map(id => [id, 'done']),
  )
})

test('why-not-running.mjs: it says what holds tasks of another process back', async t => {
  const store = scratch(t)('tasks.db')
  const tasker = new Tasker({ store, concurrency: 1 })
  tasker.assignRunner('a', () => new Promise(() => {}), { concurrency: 1 })
  await tasker.start()
  const runs = await tasker.addTask({ operation: 'a' })
  const [waits, other] = await tasker.addTasks([{ operation: 'a' }, { operation: 'b' }])
  const lines = async (...args) => {
    const { end, rest } = run(t, 'why-not-running.mjs', [store, ...args])
    const said = await rest()
    assert.equal(await end, 0)
    return said
  }
  const limit = [`task ${waits} of 'a' is ready`, `- 'a' runs 1 of 1 tasks at once: ${runs}`]
  const missing = "- no tasker that is started has a runner for 'b'"
  assert.deepEqual(await lines(), [...limit, `task ${other} of 'b' is ready`, missing])
  assert.deepEqual(await lines(waits), limit)
  assert.deepEqual(await lines(runs), [`task ${runs} of 'a' is running`])
  await tasker.close({ onStop: 'postpone' })
})

test('live-logs.mjs: it follows the log of a task that another process runs', async t => {
  const store = scratch(t)('tasks.db')
  const tasker = new Tasker({ store })
  let goOn = () => {}
  tasker.assignRunner('a', async ({ logger }) => {
    logger.info('begins')
    await new Promise(resolve => {
      goOn = resolve
    })
    logger.warn('almost done')
    logger.info('done')
  })
  await tasker.start()
  const uuid = await tasker.addTask({ operation: 'a' })
  const all = run(t, 'live-logs.mjs', [store, uuid])
  assert.match(await all.line(), /^\d\d:\d\d:\d\d\.\d{3} info {4}begins$/)
  const grave = run(t, 'live-logs.mjs', [store, uuid, 'warning'])
  goOn()
  const words = lines => lines.map(line => line.replace(/^[\d:.]+ /, ''))
  assert.deepEqual(words(await all.rest()), ['warning almost done', 'info    done', 'done'])
  assert.deepEqual(words(await grave.rest()), ['warning almost done', 'done'])
  assert.deepEqual([await all.end, await grave.end], [0, 0])
  await tasker.close()
})

test('schedules.mjs: killed in the middle it goes on, one task a tick (I-2)', async t => {
  const store = scratch(t)('schedules.db')
  const first = run(t, 'schedules.mjs', [store])
  assert.equal(await first.line(), 'the schedule is new')
  assert.match(await first.line(), /^sales as of /)
  first.child.kill('SIGKILL')
  await first.end

  const second = run(t, 'schedules.mjs', [store])
  const lines = await second.rest()
  assert.equal(await second.end, 0)
  assert.ok(lines.includes('the schedule goes on'))
  assert.equal(lines.at(-1), 'over after 5 reports')
  const tasks = await tasksOf(store)
  assert.equal(tasks.filter(({ status }) => status === 'done').length, 5)
  assert.equal(new Set(tasks.map(({ scheduledAt }) => Number(scheduledAt))).size, 5)
})

test('rate-limits.mjs: no account has more calls than its limit', async t => {
  const store = scratch(t)('calls.db')
  const { end, rest } = run(t, 'rate-limits.mjs', [store])
  const lines = await rest()
  assert.equal(await end, 0)
  const within = (name, count) => `${name}: ${count} calls, within the limit`
  assert.deepEqual(lines, [within('ada', 8), within('bob', 1), within('eve', 2)])
})

test('circuit-breaker.mjs: a service that is down is left alone until it works again', async t => {
  const store = scratch(t)('circuit.db')
  const { end, rest } = run(t, 'circuit-breaker.mjs', [store])
  const lines = await rest()
  assert.equal(await end, 0)
  assert.deepEqual(lines, [
    'call is stopped after 3 calls: HTTP 503',
    'call is tried',
    'call works again',
    '5 tasks are done after 8 calls',
  ])
})

test('batches.mjs: many rows in few transactions, and one that is refused alone', async t => {
  const { end, rest } = run(t, 'batches.mjs', [scratch(t)('rows.db')])
  const lines = await rest()
  assert.equal(await end, 0)
  assert.deepEqual(lines, ['250 rows in 3 transactions', 'there is a row 7'])
})

test('per-tenant-limits.mjs: no tenant has more than two tasks at once, nor starves', async t => {
  const store = scratch(t)('tenants.db')
  const { end, rest } = run(t, 'per-tenant-limits.mjs', [store])
  const lines = await rest()
  assert.equal(await end, 0)
  assert.deepEqual(lines, [
    'ada: 30 tasks, 2 at once',
    'bob: 3 tasks, 2 at once',
    'eve: 3 tasks, 2 at once',
    'nobody waited for ada',
  ])
  const tasks = await tasksOf(store)
  assert.equal(tasks.filter(({ status }) => status === 'done').length, 36)
})

test('threads.mjs: hashes come from threads, and one that is stuck is ended', async t => {
  const { end, rest } = run(t, 'threads.mjs', ['dune', 'emma'])
  const lines = await rest()
  assert.match(lines[0], /^dune [0-9a-f]{16}$/)
  assert.match(lines[1], /^emma [0-9a-f]{16}$/)
  assert.deepEqual(lines.slice(2), ['stuck: run-timeout'])
  assert.equal(await end, 0)
})

test('readers-writers.mjs: readers share, writers are alone, and none is overtaken', async t => {
  const store = scratch(t)('books.db')
  const { end, rest } = run(t, 'readers-writers.mjs', [store])
  const lines = await rest()
  assert.equal(await end, 0)
  assert.deepEqual(lines, ['R100', 'W99', 'W98', 'R97', 'R97 with R96', 'W94'])
  const tasks = await tasksOf(store)
  assert.equal(tasks.filter(({ status }) => status === 'done').length, 6)
})

test('cluster.mjs: a worker dies in the middle, and the others run what it had begun', async t => {
  const store = scratch(t)('cluster.db')
  const { end, rest } = run(t, 'cluster.mjs', [store])
  const lines = await rest()
  assert.equal(await end, 0)
  assert.match(lines.join('\n'), /^worker [123]: SIGKILL$/m)
  assert.match(lines.join('\n'), /^60 of 60 done, [12] of them begun by the dead worker first$/m)
  const tasks = await tasksOf(store)
  assert.equal(tasks.filter(({ status }) => status === 'done').length, 60)
})
