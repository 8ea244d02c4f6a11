// The process that does the work: adds a task per file unless an earlier process did, runs them
// all, no more than a few of one folder at once, and draws how far it is. Its one argument is JSON:
// { folder, store, log, filesMax, dieHalfWay }.

import { createHash } from 'node:crypto'
import { createReadStream, openSync, writeSync } from 'node:fs'
import { dirname, extname, join } from 'node:path'
import { Tasker } from '../../index.mjs'
import { Bar, count, say } from './screen.mjs'
import { filesBelow } from './walk.mjs'

const { folder, store, log, filesMax, dieHalfWay } = JSON.parse(process.argv[2])
const effects = openSync(log, 'a')

/** Reads one file: its hash, and its lines and words if it is text. */
async function readOne(path) {
  const begin = performance.now()
  const hash = createHash('sha256')
  const seen = { bytes: 0, lines: 0, words: 0, isText: true, inWord: false }
  for await (const chunk of createReadStream(join(folder, path))) {
    hash.update(chunk)
    countChunk(seen, chunk)
  }
  const { bytes, isText, lines, words } = seen
  const text = isText ? { lines, words } : {}
  return { bytes, sha256: hash.digest('hex'), ...text, ms: performance.now() - begin }
}

/** Words are what stands between bytes up to the space; a zero byte means that it is no text. */
function countChunk(seen, chunk) {
  if (seen.bytes === 0) seen.isText = !chunk.includes(0)
  seen.bytes += chunk.length
  if (!seen.isText) return
  for (const byte of chunk) {
    const inWord = byte > 32
    if (inWord && !seen.inWord) seen.words++
    if (byte === 10) seen.lines++
    seen.inWord = inWord
  }
}

/** One task per file, a thousand per call: each call is on disk as a whole or not at all. */
async function addAll(tasker) {
  const paths = await filesBelow(folder, filesMax)
  const tasks = paths.map(path => ({
    operation: 'index-file',
    data: { path, folder: dirname(path), extension: extname(path) || '(none)' },
  }))
  const begin = performance.now()
  for (let i = 0; i < tasks.length; i += 1000) await tasker.addTasks(tasks.slice(i, i + 1000))
  say(`added ${count(tasks.length)} tasks in ${Math.round(performance.now() - begin)} ms`)
}

/** Says why a task waits: the first that a full folder holds back, and how many wait for what. */
async function sayWhatWaits(tasker) {
  const { waiting, reasons } = await tasker.explain({ operation: 'index-file' })
  if (!reasons.condition) return
  say(`${count(reasons.condition)} of ${count(waiting)} that wait are of a folder that is busy`)
}

/** So many files of one folder at once: a disk that is somewhere else would thank us. */
const IN_ONE_FOLDER = 4

const tasker = new Tasker({ store, concurrency: 16 })
await tasker.defineOperation('index-file', {
  conditions: [
    {
      scope: 'running',
      query: { operation: 'index-file', 'data.folder': { $task: 'data.folder' } },
      limit: IN_ONE_FOLDER - 1, // so many others
    },
  ],
})
tasker.assignRunner('index-file', async ({ uuid, attempt, data }) => {
  writeSync(effects, `${JSON.stringify({ uuid, attempt, path: data.path })}\n`)
  return readOne(data.path)
})
if ((await tasker.countTasks()) === 0) await addAll(tasker)

const total = await tasker.countTasks()
const ended = () => tasker.countTasks({ status: { $in: ['done', 'failed', 'aborted'] } })
const bar = new Bar(total, await ended())
const allEnded = new Promise(resolve => {
  if (bar.current === total) resolve()
  tasker.on('task.ended', () => {
    bar.step()
    if (dieHalfWay && bar.current >= total / 2) process.kill(process.pid, 'SIGKILL')
    if (bar.current === total) resolve()
  })
})
await tasker.start()
await sayWhatWaits(tasker)
await allEnded
bar.end()
await tasker.close()
