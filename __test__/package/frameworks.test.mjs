// The examples of web servers, of parents and children and of tests do what the guide says of them.
// Those with large packages are in __test__/systems.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { compileExample, start, tasksOf } from './example.mjs'
import { output, root } from './program.mjs'
import { address, checkServer, ended, json, post, stores } from './server.mjs'

/** Starts a server on a free port. */
async function serve(t, cwd) {
  const env = { ...process.env, PORT: '0' }
  const server = start(t, 'dist/server.js', { cwd, env })
  return { ...server, url: await address(server) }
}

describe('express', () => {
  const make = compileExample('express')
  checkServer({ make, serve, exit: 0 })

  test('waits for the result if asked to; DELETE aborts a running task', async t => {
    const { url, child, end } = await serve(t, make())
    const thumbnails = `${url}/thumbnails`
    const many = Array.from({ length: 10_000 }, (_, n) => n)
    const { status, body } = await post(`${thumbnails}?wait`, { image: 'cat', widths: [1] })
    assert.equal(status, body.status === 'done' ? 200 : 202)
    const { result } = await ended(`${thumbnails}/${body.uuid}`)
    assert.deepEqual(result, { files: ['cat-1.webp'] })
    const long = await post(`${thumbnails}?wait`, { image: 'cat', widths: many })
    assert.equal(long.status, 202)
    const task = `${thumbnails}/${long.body.uuid}`
    assert.equal((await json(task, { method: 'DELETE' })).status, 204)
    assert.equal((await ended(task)).status, 'aborted')
    assert.equal((await fetch(task, { method: 'DELETE' })).status, 409)
    child.kill('SIGTERM')
    assert.equal(await end, 0)
  })
})

describe('fastify', () => {
  const make = compileExample('fastify')
  const rows = count => Array.from({ length: count }, (_, n) => `row ${n}`)

  /** The events of a task until the server ends the stream: pairs of name and data. */
  async function eventsOf(url, uuid) {
    const response = await fetch(`${url}/imports/${uuid}/events`)
    assert.equal(response.headers.get('content-type'), 'text/event-stream')
    const blocks = (await response.text()).split('\n\n').filter(Boolean)
    return blocks.map(block => {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(block)
      return [name, JSON.parse(data)]
    })
  }

  test('a browser sees the progress and the end of its task, also if it comes late', async t => {
    const { url, child, end } = await serve(t, make())
    assert.match(await (await fetch(url)).text(), /new EventSource/)
    const { status, body } = await post(`${url}/imports`, { rows: rows(20) })
    assert.equal(status, 202)
    const last = ['ended', { status: 'done', result: { imported: 20 } }]
    for (const _ of ['live', 'late']) {
      const events = await eventsOf(url, body.uuid)
      assert.deepEqual(events.pop(), last)
      assert.deepEqual(events.at(-1), ['progress', { current: 20, total: 20, unit: 'rows' }])
      const seen = events.map(([, { current }]) => current)
      assert.deepEqual(
        seen,
        [...new Set(seen)].sort((a, b) => a - b),
        'in order, none twice',
      )
    }
    child.kill('SIGTERM')
    assert.equal(await end, 0)
  })

  test('refuses what it cannot do', async t => {
    const { url, child, end } = await serve(t, make())
    assert.equal((await post(`${url}/imports`, {})).status, 400)
    assert.equal((await fetch(`${url}/imports/nonsense/events`)).status, 404)
    child.kill('SIGTERM')
    assert.equal(await end, 0)
  })

  test('SIGTERM ends open streams, and running tasks finish', async t => {
    const place = make()
    const { url, child, end } = await serve(t, place)
    const { body } = await post(`${url}/imports`, { rows: rows(40) })
    const { body: stream } = await fetch(`${url}/imports/${body.uuid}/events`)
    const reader = stream.getReader()
    await reader.read() // It is open.
    child.kill('SIGTERM')
    while (!(await reader.read()).done);
    assert.equal(await end, 0)
    assert.deepEqual(stores(place), ['tasks.db'])
    const [{ status, attempt }] = await tasksOf(join(place, 'tasks.db'))
    assert.deepEqual([status, attempt], ['done', 1])
  })
})

describe('parent-children', () => {
  const make = compileExample('parent-children')
  // Many more parents than places.
  const albums = Array.from({ length: 60 }, (_, n) => [`a${n}`, `b${n}`])
  const files = ([a, b]) => `${a}.webp,${b}.webp`
  const args = albums.map(images => images.join())
  const programs = {
    'waiting-parent': ['albums.db', 'album'],
    'last-child': ['steps.db', 'publish'],
  }

  for (const [name, [store, last]] of Object.entries(programs)) {
    for (const signal of ['SIGTERM', 'SIGKILL']) {
      test(`${name}: ended by ${signal} it goes on; nothing is lost, double or stuck`, async t => {
        const cwd = make()
        const script = `dist/${name}.js`
        const first = start(t, script, { cwd, args })
        assert.match(await first.line(), /\.webp,/)
        first.child.kill(signal)
        await first.rest()
        assert.equal(await first.end, signal === 'SIGTERM' ? 0 : signal)
        const begun = await tasksOf(join(cwd, store))
        const ready = begun.filter(task => task.operation === last && task.status === 'done').length

        // A close lets running tasks finish, so the first may have done everything.
        if (ready < albums.length) {
          const second = start(t, script, { cwd })
          for (let n = ready; n < albums.length; n += 1) assert.ok(await second.line())
          second.child.kill('SIGTERM')
          assert.deepEqual(await second.rest(), [])
          assert.equal(await second.end, 0)
        }
        const tasks = await tasksOf(join(cwd, store))
        assert.equal(tasks.length, 3 * albums.length)
        assert.ok(tasks.every(({ status }) => status === 'done'))
        const made = tasks.filter(task => task.operation === last).map(({ result }) => result.files)
        assert.deepEqual(made.map(files => files.sort().join()).sort(), albums.map(files).sort())
      })
    }
  }
})

describe('testing', () => {
  const place = compileExample('testing', ['jest.test.ts', 'jest', '@jest/globals'])()
  const { NODE_TEST_CONTEXT, NODE_OPTIONS, ...env } = process.env // Those are of this test.

  test('node:test, with its own fake timers', () => {
    const args = ['--test', '--test-reporter=tap', 'dist/node.test.js']
    assert.match(output(process.execPath, args, { cwd: place, env }), /^# pass 4$/m)
  })

  test('vitest, with its own fake timers', () => {
    const vitest = join(root, '__test__/vitest/node_modules/vitest/vitest.mjs')
    const args = [vitest, 'run', 'vitest.test.ts', '--reporter=json', '--testTimeout=120000']
    const printed = output(process.execPath, args, { cwd: place, env })
    const { numPassedTests, numTotalTests } = JSON.parse(printed.slice(printed.indexOf('{"num')))
    assert.deepEqual([numPassedTests, numTotalTests], [3, 3])
  })
})
