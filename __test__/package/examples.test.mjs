// The examples do what their first lines say, also when they are killed in the middle.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { Tasker } from '../../index.mjs'
import { root } from './program.mjs'

/** A path of a folder for one test. */
function scratch(t) {
  const folder = mkdtempSync(join(tmpdir(), 'tasker-examples-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return name => join(folder, name)
}

/** Starts an example: its lines as they come, its input, and how it ends. */
function start(t, name, args, flags = []) {
  const example = join(root, 'examples', name)
  const child = spawn(process.execPath, [...flags, example, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 60_000,
  })
  t.after(() => child.kill('SIGKILL'))
  const end = new Promise(resolve => child.once('close', (code, signal) => resolve(signal ?? code)))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async () => (await lines.next()).value
  const rest = async () => {
    const all = []
    for (let next = await line(); next !== undefined; next = await line()) all.push(next)
    return all
  }
  return { child, end, line, rest }
}

/** What lies in a store that nobody has open. */
async function tasksOf(store) {
  const tasker = new Tasker(store)
  const tasks = await tasker.findTasks({}, { sort: { seq: 1 } })
  await tasker.close()
  return tasks
}

const json = async (url, options) => {
  const response = await fetch(url, options)
  const text = await response.text()
  return { status: response.status, body: text && JSON.parse(text) }
}

const post = (base, data) => json(base, { method: 'POST', body: JSON.stringify(data) })

/** Asks until the task has ended. */
async function ended(url) {
  for (;;) {
    const { body } = await json(url)
    if (body.status !== 'new' && body.status !== 'running') return body
  }
}

/** The server of `http.mjs`, listening. */
async function serve(t, store) {
  const server = start(t, 'http.mjs', ['0', store])
  const port = (await server.line()).split(' ').at(-1)
  return { ...server, base: `http://127.0.0.1:${port}/thumbnails` }
}

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

test('http.mjs: what was answered with 202 is done, also after kill -9 (F-1)', async t => {
  const store = scratch(t)('http.db')
  const first = await serve(t, store)
  const data = { image: 'cat', widths: [320, 640] }
  const { status, body } = await post(first.base, data)
  assert.equal(status, 202)
  first.child.kill('SIGKILL')
  assert.equal(await first.end, 'SIGKILL')

  const second = await serve(t, store)
  const url = `${second.base}/${body.uuid}`
  const { result } = await ended(url)
  assert.deepEqual(result.files, ['cat-320.webp', 'cat-640.webp'])
  assert.equal((await json(url, { method: 'DELETE' })).status, 409)
  second.child.kill('SIGTERM')
  assert.equal(await second.end, 0)
})

test('http.mjs: refuses what it cannot do, with a status, and stores nothing', async t => {
  const store = scratch(t)('http.db')
  const { base, child, end } = await serve(t, store)
  assert.equal((await post(base, { image: 7 })).status, 400)
  assert.equal((await json(base, { method: 'POST', body: 'no JSON' })).status, 400)
  assert.equal((await post(base, { image: 'x'.repeat(65_536), widths: [] })).status, 413)
  assert.equal((await json(`${base}/nonsense`)).status, 400)
  assert.equal((await json(`${base}/018f0000-0000-7000-8000-000000000000`)).status, 404)
  assert.equal((await json(base)).status, 404)
  assert.equal((await json(new URL('/', base))).status, 404)
  assert.equal((await json(base, { method: 'PATCH' })).status, 404)
  child.kill('SIGTERM')
  assert.equal(await end, 0)
  assert.deepEqual(await tasksOf(store), [])
})

test('http.mjs: SIGTERM lets running tasks finish, DELETE aborts one (F-3, I-14)', async t => {
  const store = scratch(t)('http.db')
  const { base, child, end } = await serve(t, store)
  const many = Array.from({ length: 400 }, (_, n) => n)
  const { body: aborted } = await post(base, { image: 'cat', widths: many })
  const url = `${base}/${aborted.uuid}`
  assert.equal((await json(url, { method: 'DELETE' })).status, 204)
  assert.equal((await ended(url)).status, 'aborted')
  await post(base, { image: 'dog', widths: many.slice(0, 10) })
  child.kill('SIGTERM')
  assert.equal(await end, 0)
  const tasks = await tasksOf(store)
  assert.deepEqual(
    tasks.map(({ status }) => status),
    ['aborted', 'done'],
  )
})

test('folder.mjs: killed in the middle it goes on, and every file is whole (F-1)', async t => {
  const at = scratch(t)
  const names = Array.from({ length: 40 }, (_, n) => `file-${n}.txt`)
  mkdirSync(at('from'))
  for (const name of names) writeFileSync(join(at('from'), name), `${name}\n`.repeat(20_000))
  const args = [at('from'), at('to'), at('folder.db')]
  const first = start(t, 'folder.mjs', args, dyingAfter(20, 'rename'))
  assert.equal(await first.line(), '0 of 40 were there')
  assert.equal(await first.end, 'SIGKILL')

  const second = start(t, 'folder.mjs', args)
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
  const first = start(t, 'mails.mjs', args, dyingAfter(3, 'link'))
  first.child.stdin.end(mails.join(''))
  assert.equal(await first.end, 'SIGKILL')

  const second = start(t, 'mails.mjs', args)
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
  const first = start(t, 'outbox.mjs', [folder])
  first.child.stdin.write(orders.join(''))
  assert.equal(await first.line(), 'order 1 is stored')
  first.child.kill('SIGKILL')
  await first.end

  const second = start(t, 'outbox.mjs', [folder])
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

test('cluster.mjs: a worker dies in the middle, and the others run what it had begun', async t => {
  const store = scratch(t)('cluster.db')
  const { end, rest } = start(t, 'cluster.mjs', [store])
  const lines = await rest()
  assert.equal(await end, 0)
  assert.equal(lines[0], 'worker 3: SIGKILL')
  assert.match(lines.at(-1), /^60 of 60 done, [12] of them begun by the dead worker first$/)
  const tasks = await tasksOf(store)
  assert.equal(tasks.filter(({ status }) => status === 'done').length, 60)
})
