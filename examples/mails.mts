// Sends mails as tasks: none is forgotten, and none is sent twice.
//
//   npx tsx mails.mts <spool folder> [store]      reads mails from stdin, one JSON object per line
//
// A task may run again after a crash, with the same uuid. So the uuid becomes the Message-ID, and
// the receiver refuses an id that it has seen. Here the receiver is a folder with one file per id;
// a mail API that takes an idempotency key works the same way.

import { link, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { Tasker } from 'tasker'

interface Mail {
  to: string
  text: string
}
interface Operations {
  send: { data: Mail; result: { isNew: boolean } }
}

const [spool, store = 'mails.db'] = process.argv.slice(2)
if (!spool) {
  console.error('usage: mails.mts <spool folder> [store]')
  process.exit(2)
}
const drafts = join(spool, 'drafts')
const tasker = new Tasker<Operations>({ store, exclusive: true, runTimeout: '30s' })

/** Delivers a mail, whole or not at all; resolves with false if its id was there before. */
async function deliver(id: string, runId: string, mail: Mail) {
  const draft = join(drafts, runId)
  await writeFile(draft, `Message-ID: <${id}@example.org>\nTo: ${mail.to}\n\n${mail.text}\n`)
  try {
    await link(draft, join(spool, `${id}.eml`))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await rm(draft)
  }
}

tasker.assignRunner(
  'send',
  async ({ uuid, runId, attempt, data, logger }) => {
    const isNew = await deliver(uuid, runId, data)
    if (!isNew) logger.notice('had been sent before', { attempt })
    return { isNew }
  },
  { concurrency: 2 }, // A mail server takes only so many connections.
)

await tasker.ready() // The store is exclusive, so no other process uses these drafts.
await rm(drafts, { recursive: true, force: true })
await mkdir(drafts, { recursive: true })
await tasker.start()

// A crash may have left mails of an earlier process: they are sent too.
const left = await tasker.findTasks({ status: { $in: ['new', 'running'] } })
const uuids = left.map(({ uuid }) => uuid)
for await (const line of createInterface({ input: process.stdin })) {
  uuids.push(await tasker.addTask({ operation: 'send', data: JSON.parse(line) }))
}

for (const uuid of uuids) {
  try {
    const { isNew } = await tasker.waitForTaskOutputData(uuid)
    console.log(`${uuid} ${isNew ? 'sent' : 'had been sent'}`)
  } catch (error) {
    console.log(`${uuid} failed: ${error}`)
  }
}
await tasker.close()
