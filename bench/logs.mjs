// `npm run bench:logs`: how long a log line takes to a listener in another process, beside a line
// of text over a pipe between the same two processes, in turn. `--quick` does few, to see that
// everything still runs.

import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Tasker } from '../index.mjs'

const file = fileURLToPath(import.meta.url)
const quick = process.argv.includes('--quick')
const LINES = quick ? 50 : 2_000
/** Long enough that each line is stored by itself. */
const REST_MS = 5

/** Of the clock that all processes of a machine share. */
const nowMs = () => Number(process.hrtime.bigint()) / 1e6

/** Writes lines until all are written, each of them over the pipe too, one rest later. */
async function write(store) {
  const tasker = new Tasker({ store })
  tasker.assignRunner('chatty', async ({ logger }) => {
    for (let n = 0; n < LINES; n += 1) {
      logger.info(String(nowMs()))
      await sleep(REST_MS)
      process.send(nowMs())
      await sleep(REST_MS)
    }
  })
  await tasker.start()
  await tasker.waitForTaskOutputData(await tasker.addTask({ operation: 'chatty' }))
  await tasker.close()
  process.disconnect()
}

const shown = times => {
  times.sort((a, b) => a - b)
  const at = share => times[Math.floor((times.length - 1) * share)].toFixed(2)
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`
}

async function main() {
  const folder = mkdtempSync(join(tmpdir(), 'tasker-bench-'))
  const store = join(folder, 'tasks.db')
  const tasker = new Tasker({ store })
  try {
    await tasker.ready()
    const piped = []
    const added = (async () => {
      for await (const { uuid, task } of tasker.watch()) if (task) return uuid
    })()
    const writer = fork(file, ['write', store, ...(quick ? ['--quick'] : [])])
    writer.on('message', sentMs => piped.push(nowMs() - sentMs))
    const heard = []
    for await (const { message } of tasker.listenTaskLogs(await added, { fromBeginning: true })) {
      heard.push(nowMs() - Number(message))
    }
    if (heard.length !== LINES) throw new Error(`heard ${heard.length} of ${LINES} lines`)
    console.log(`a log line to another process: ${shown(heard)}`)
    console.log(`a message over a pipe:         ${shown(piped)}`)
  } finally {
    await tasker.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

if (process.argv[2] === 'write') await write(process.argv[3])
else await main()
