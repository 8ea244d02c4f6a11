// Mails as tasks, so that none is forgotten, and sending one again is harmless.
// `node examples/mails.mjs <spool folder> [file]` reads mails from stdin, a JSON object per line.
//
// A task may run again after a crash. Its uuid stays the same, so it makes the Message-ID, and the
// receiver refuses an id that it has. Here that is a folder with one file per id; a mail API with
// an idempotency key serves as well.

import { link, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { Tasker } from 'tasker'

const [spool, store = 'mails.db'] = process.argv.slice(2)
const drafts = join(spool, 'drafts')
const tasker = new Tasker({ store, exclusive: true, runTimeout: '30s' })

/** Hands a mail over, whole or not at all; resolves with false if its id was there before. */
async function handOver(id, runId, mail) {
  const draft = join(drafts, runId)
  await writeFile(draft, `Message-ID: <${id}@example.org>\nTo: ${mail.to}\n\n${mail.text}\n`)
  try {
    await link(draft, join(spool, `${id}.eml`))
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  } finally {
    await rm(draft)
  }
}

// Two at once: a relay has limits.
const send = async ({ uuid, runId, attempt, data, logger }) => {
  const isNew = await handOver(uuid, runId, data)
  if (!isNew) logger.notice('had been sent before', { attempt })
  return { isNew }
}
tasker.assignRunner('send', send, { concurrency: 2 })

await tasker.ready() // it is ours: no other process is at work here
await rm(drafts, { recursive: true, force: true })
await mkdir(drafts, { recursive: true })
await tasker.start()

// A crash leaves mails of earlier processes: these are sent along.
const left = await tasker.findTasks({ status: { $in: ['new', 'running'] } })
const uuids = left.map(({ uuid }) => uuid)
for await (const line of createInterface({ input: process.stdin })) {
  uuids.push(await tasker.addTask({ operation: 'send', data: JSON.parse(line) }))
}

for (const uuid of uuids) {
  const answer = await tasker.waitForTaskOutputData(uuid).catch(error => error)
  if (answer instanceof Error) console.log(`${uuid} failed: ${answer.message}`)
  else console.log(`${uuid} ${answer.isNew ? 'sent' : 'had been sent'}`)
}
await tasker.close()
