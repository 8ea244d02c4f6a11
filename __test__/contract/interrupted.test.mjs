import assert from 'node:assert/strict'
import { test } from 'node:test'
import { file, imports, open, rejection, run } from './open.mjs'

/** A process that dies while its tasks run; `rest` may add some first. */
async function die(store, rest = '') {
  const script = `${imports}
    let left = Infinity
    const tasker = new Tasker({ store: ${JSON.stringify(store)}, runners: { a: ({ uuid }) => {
      left -= 1
      if (left === 0) process.kill(process.pid, 'SIGKILL')
      return new Promise(() => {})
    } } })
    ${rest}
    left = await tasker.countTasks({ status: { $in: ['new', 'running'] } })
    await tasker.start()
  `
  const { signal, err } = await run(script)
  assert.equal(signal, 'SIGKILL', err)
}

const add = words =>
  words.map(word => `await tasker.addTask({ operation: 'a', onInterrupted: '${word}' })`).join('\n')

test('a run whose process died is retried, aborted or failed, as its task says', async t => {
  const store = file()
  await die(store, add(['retry', 'abort', 'fail']))
  const seen = []
  const tasker = open(t, { store, runners: { a: context => seen.push(context) } })
  await tasker.start()
  const [retried, aborted, failed] = await tasker.findTasks({}, { sort: { seq: 1 } })
  await tasker.waitForTaskOutputData(retried.uuid)
  assert.deepEqual(
    seen.map(({ uuid, attempt }) => [uuid, attempt]),
    [[retried.uuid, 2]],
  )
  const { attempts } = await tasker.getTask(retried.uuid)
  assert.deepEqual(
    attempts.map(({ outcome }) => outcome),
    ['lost', 'done'],
  )
  assert.deepEqual([aborted.status, aborted.cause], ['aborted', 'lost'])
  const { name, code, cause } = aborted.abortReason
  assert.deepEqual([name, code, cause], ['AbortError', 'ABORT_ERR', 'lost'])
  assert.deepEqual([failed.status, failed.cause], ['failed', 'lost'])
  assert.equal((await rejection(tasker.waitForTaskOutputData(aborted.uuid))).name, 'AbortError')
  assert.match((await rejection(tasker.waitForTaskOutputData(failed.uuid))).message, /died/)
})

test('the tasker has a default for tasks that say nothing', async t => {
  const store = file()
  await die(store, "await tasker.addTask({ operation: 'a', onInterrupted: 'abort' })")
  const tasker = open(t, { store, onInterrupted: 'fail' })
  assert.equal((await tasker.findTask({})).cause, 'lost')
  const uuid = await tasker.addTask({ operation: 'a' })
  assert.equal((await tasker.getTask(uuid)).onInterrupted, 'fail')
})

test('a task that kills its process three times in a row fails as poison (I-10)', async t => {
  const store = file()
  await die(store, add(['retry']))
  await die(store)
  await die(store)
  const tasker = open(t, { store, runners: { a: () => assert.fail('poison') } })
  await tasker.start()
  const task = await tasker.findTask({})
  assert.deepEqual([task.status, task.cause, task.attempt], ['failed', 'poison', 3])
})

test('a crash counts as a loss for every task that was running in it (I-10)', async t => {
  const store = file()
  await die(store, add(['retry', 'retry']))
  await die(store)
  await die(store)
  const causes = (await open(t, { store }).findTasks()).map(({ cause }) => cause)
  assert.deepEqual(causes, ['poison', 'poison'])
})

test('an abort that was acknowledged outlives the process of its run (I-1)', async t => {
  const store = file()
  const abort = `
    const uuid = await tasker.addTask({ operation: 'a' })
    tasker.once('task.run', async () => {
      if (await tasker.abortTask(uuid, 'enough')) process.kill(process.pid, 'SIGKILL')
    })
    await tasker.start()
    await new Promise(() => {})`
  await die(store, abort)
  const tasker = open(t, { store, runners: { a: () => assert.fail('it was aborted') } })
  await tasker.start()
  const task = await tasker.findTask({})
  assert.deepEqual([task.status, task.cause, task.attempt], ['aborted', 'user', 1])
  assert.equal(task.abortReason.message, 'enough')
  const error = await rejection(tasker.waitForTaskOutputData(task.uuid))
  assert.deepEqual([error.name, error.message], ['AbortError', 'enough'])
})
