// `npm run bench:http`: what executors cost over HTTP. A task is polled, begun and reported as
// done: in arrays of 100 calls, and one call a request beside a bare server that gives back what
// it is sent. Then how long a poll that waits takes to hear of a task that is added, and of one
// whose claim is over; how long a call takes beside clients that are slow; and what a thousand
// polls cost at rest. The server has a process of its own. `--quick` does it with little.

import { fork, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Tasker } from '../index.mjs'
import { idleShare } from './parts.mjs'
import { median } from './scenarios.mjs'

const file = fileURLToPath(import.meta.url)
const root = fileURLToPath(new URL('..', import.meta.url))
const quick = process.argv.includes('--quick')
const pairs = quick ? 1 : 9
const inArrays = quick ? 4_000 : 40_000
const oneByOne = quick ? 500 : 5_000
const heard = quick ? 20 : 500
const waiting = quick ? 100 : 1_000
const slow = quick ? 100 : 1_000
/** How long a claim lasts, where it is to be over. */
const claimMs = 1_000
const idleMs = quick ? 500 : 10_000
const ARRAY = 100
/** Executors that work side by side, when each has one call on its way. */
const EXECUTORS = 32

const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })

/** Sends one body, and gives what comes back. */
function post({ port, token }, body) {
  const text = JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      authorization: `Bearer ${token}`,
    }
    const sent = request({ port, path: '/rpc', method: 'POST', agent, headers }, response => {
      const chunks = []
      response.on('data', chunk => chunks.push(chunk))
      response.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString())))
    })
    sent.on('error', reject)
    sent.end(text)
  })
}

const call = (method, params) => ({ method: `awf.task/${method}`, params })
const poll = maxBatchSize => call('poll', { taskDefinitions: ['work'], maxBatchSize })
const longPoll = timeout => call('long-poll', { taskDefinitions: ['work'], timeout })

/** What the process of the server does when it is told. */
const commands = {
  async add(tasker, count) {
    const definitions = Array.from({ length: count }, (_, n) => ({ operation: 'work', data: n }))
    for (let at = 0; at < count; at += 10_000) {
      await tasker.addTasks(definitions.slice(at, at + 10_000))
    }
  },
  /** When it was added, by the clock that all processes have. */
  async addOne(tasker) {
    await tasker.addTask({ operation: 'work' })
    return performance.timeOrigin + performance.now()
  },
  done: tasker => tasker.countTasks({ status: 'done' }),
  async rest() {
    return { share: await idleShare(idleMs), bytes: process.memoryUsage.rss() }
  },
}

async function serve(store, durability, claimTimeout) {
  const tasker = new Tasker({ store, durability })
  await tasker.defineOperation('work', { executor: { claimTimeout: Number(claimTimeout) } })
  const { port, token } = await tasker.listen({ port: 0 })
  process.on('message', async ([command, value]) => {
    process.send((await commands[command](tasker, value)) ?? null)
  })
  process.send({ port, token })
}

/** A server in a process of its own, for as long as `code` takes. */
async function withServer(durability, code, claimTimeout = 10_000) {
  const folder = mkdtempSync(join(tmpdir(), 'tasker-bench-http-'))
  const child = fork(file, ['serve', join(folder, 'tasks.db'), durability, String(claimTimeout)])
  const answer = async () => (await once(child, 'message'))[0]
  const server = await answer()
  const tell = (...command) => {
    child.send(command)
    return answer()
  }
  try {
    return await code({ ...server, tell })
  } finally {
    child.kill('SIGKILL')
    await once(child, 'exit')
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The bare server. */
async function withEcho(code) {
  const options = { cwd: root, stdio: 'inherit' }
  const words = ['build', '--quiet', '--release', '--package', 'tasker-http', '--example', 'echo']
  if (spawnSync('cargo', words, options).status !== 0) throw new Error('it cannot be built')
  const echo = spawn(join(root, 'target/release/examples/echo'), { stdio: ['ignore', 'pipe', 2] })
  const [port] = await once(createInterface({ input: echo.stdout }), 'line')
  try {
    return await code({ port })
  } finally {
    echo.kill()
  }
}

function perSecond(count, from) {
  return (count / (performance.now() - from)) * 1_000
}

/** Does the same so many times side by side. */
function together(count, code) {
  return Promise.all(Array.from({ length: count }, code))
}

/** Polls, begins and reports until there is no task any more; the requests that it took. */
async function execute(server, most, sendAll) {
  let requests = 0
  const send = async body => {
    requests += 1
    return await post(server, body)
  }
  for (;;) {
    const { resources } = (await send(poll(most))).result
    if (resources.length === 0) return requests
    for (const step of ['start', 'success']) {
      const calls = resources.map(({ id, execId }) => call(step, { id, execId }))
      const wrong = (await sendAll(calls, send)).find(answer => answer.error)
      if (wrong) throw new Error(JSON.stringify(wrong))
    }
  }
}

/** Tasks a second, with every commit on the disk. */
function arrays() {
  return withServer('full', async server => {
    await server.tell('add', inArrays)
    const from = performance.now()
    await together(8, () => execute(server, ARRAY, (calls, send) => send(calls)))
    const rate = perSecond(inArrays, from)
    if ((await server.tell('done')) !== inArrays) throw new Error('some are not done')
    return rate
  })
}

/** Requests a second, of the bare server and of ours, which does not wait for the disk either. */
async function single(echo) {
  const body = call('start', { id: 'x'.repeat(36), execId: 'x'.repeat(36) })
  const bare = async () => {
    const from = performance.now()
    await together(EXECUTORS, async () => {
      for (let n = 0; n < (3 * oneByOne) / EXECUTORS; n += 1) await post(echo, body)
    })
    return perSecond(3 * oneByOne, from)
  }
  const ours = () =>
    withServer('process', async server => {
      await server.tell('add', oneByOne)
      const oneAfterOther = async (calls, send) => [await send(calls[0])]
      const from = performance.now()
      const all = await together(EXECUTORS, () => execute(server, 1, oneAfterOther))
      return perSecond(
        all.reduce((sum, requests) => sum + requests),
        from,
      )
    })
  const found = []
  for (let round = 0; round < pairs; round += 1) {
    const [one, other] = round % 2 === 0 ? [bare, ours] : [ours, bare]
    const values = new Map([[one, await one()]])
    values.set(other, await other())
    const ratio = values.get(ours) / values.get(bare)
    found.push({ bare: values.get(bare), ours: values.get(ours), ratio })
  }
  return Object.fromEntries(
    ['bare', 'ours', 'ratio'].map(key => [key, median(found.map(each => each[key]))]),
  )
}

/** Milliseconds from an added task to the answer of the poll that waits, and of the bare server. */
function hearing(echo, durability) {
  return withServer(durability, async server => {
    const times = []
    const bare = []
    for (let n = 0; n < heard; n += 1) {
      const answer = post(server, longPoll(60_000))
      // The poll has to wait before the task comes: others are answered behind it.
      await post(server, poll(1))
      await sleep(2)
      const told = server.tell('addOne')
      const { result } = await answer
      const at = performance.timeOrigin + performance.now()
      times.push(at - (await told))
      const [{ id, execId }] = result.resources
      await post(server, [call('start', { id, execId }), call('success', { id, execId })])
      const from = performance.now()
      await post(echo, longPoll(60_000))
      bare.push(performance.now() - from)
    }
    return { ours: median(times), bare: median(bare) }
  })
}

/** By how many milliseconds a claim is over too late, for who waits for its task. */
function lateness() {
  return withServer(
    'full',
    async server => {
      await server.tell('add', 1)
      const late = []
      await post(server, poll(1))
      let from = performance.now()
      for (let n = 0; n < (quick ? 2 : 20); n += 1) {
        await post(server, longPoll(60_000))
        const now = performance.now()
        late.push(now - from - claimMs)
        from = now
      }
      return late.sort((a, b) => a - b)
    },
    claimMs,
  )
}

/** Milliseconds of calls beside clients that send a byte a second. */
function besideSlow() {
  return withServer('process', async server => {
    const sockets = await together(slow, async () => {
      const socket = connect(server.port, '127.0.0.1')
      socket.on('error', () => {})
      await once(socket, 'connect')
      socket.write('POST /rpc HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ')
      return socket
    })
    const drip = setInterval(() => {
      for (const socket of sockets) if (socket.writable) socket.write('x')
    }, 1_000)
    const times = []
    for (let n = 0; n < heard; n += 1) {
      const from = performance.now()
      await post(server, poll(1))
      times.push(performance.now() - from)
      await sleep(5)
    }
    clearInterval(drip)
    for (const socket of sockets) socket.destroy()
    return times.sort((a, b) => a - b)
  })
}

/** What polls cost that wait: the share of a core at rest, and bytes of each. */
function resting() {
  return withServer('full', async server => {
    const before = await server.tell('rest')
    const ends = together(waiting, () => post(server, longPoll(600_000)).catch(() => {}))
    await post(server, poll(1))
    const after = await server.tell('rest')
    await server.tell('add', waiting)
    await ends
    return { share: after.share, before: before.share, bytes: after.bytes - before.bytes }
  })
}

const number = (value, digits = value < 100 ? 2 : 0) =>
  value.toLocaleString('en', { maximumFractionDigits: digits })

function print(name, value) {
  process.stdout.write(`${name.padEnd(60)}${value.padStart(24)}\n`)
}

async function main() {
  print(`tasks a second, calls in arrays of ${ARRAY}, on disk`, number(await arrays()))
  await withEcho(async echo => {
    const { ours, bare, ratio } = await single(echo)
    print('requests a second, one call in each', number(ours))
    print('… of a bare server', number(bare))
    print('… median of the ratios', number(ratio))
    for (const durability of ['process', 'full']) {
      const times = await hearing(echo, durability)
      const value = `${number(times.ours)} ms, bare ${number(times.bare)}`
      print(`a task added → its poll answered, ${durability}`, value)
    }
  })
  const late = await lateness()
  const lateOf = ms => `${number(median(ms))} ms, ${number(ms.at(-1))} at most`
  print('a claim over → its task given to who waits, too late by', lateOf(late))
  print(`a call beside ${number(slow)} slow clients`, lateOf(await besideSlow()))
  const { share, before, bytes } = await resting()
  const shares = `${number(share * 100)} %, before ${number(before * 100)}`
  print(`CPU while ${number(waiting)} polls wait, of one core`, shares)
  print('… memory of each', `${number(bytes / waiting / 1_024)} KB`)
  print('goals', '≥ 5,000, ≥ 0.5, ≤ bare + 2 ms, ≤ 50 ms, ≤ 50 ms, 0.0 %, ≤ 20 KB')
  agent.destroy()
}

const [what, ...words] = process.argv.slice(2).filter(word => word !== '--quick')
if (what === 'serve') await serve(...words)
else await main()
