// Being told that nothing is left to do, over processes.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { file, open } from '../contract/open.mjs'
import { started } from './shared/far.mjs'

const end = ({ tasker }) => tasker.addTask({ operation: 'a', data: 1 })

test('the last end elsewhere is told here, and what a dead process ran is left to do', async t => {
  const store = file()
  const looker = open(t, { store })
  const told = []
  looker.on('idle', () => told.push('idle'))
  const drained = once(looker, 'drained')
  const one = await started(t, { store }, [])
  await one.do(({ tasker }) => {
    tasker.assignRunner('a', () => new Promise(() => {}))
  })
  const uuid = await one.do(end)
  const isRunning = async () => (await looker.getTask(uuid)).state === 'running'
  while (!(await isRunning()));
  await one.kill('SIGKILL')
  const two = await started(t, { store }, [])
  await two.do(({ tasker }) => {
    tasker.assignRunner('a', () => 'done')
  })
  assert.equal(await looker.waitForTaskOutputData(uuid), 'done')
  await drained
  assert.deepEqual(told, [], 'nothing ever ran here')
})
