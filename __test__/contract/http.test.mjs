/** Users of the Task Executor API: tasks are added, looked at, canceled and listed over HTTP. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callsOf, listening } from './http.mjs'
import { gate, next } from './open.mjs'

const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString()

test('a task is added, looked at and canceled', async t => {
  const { tasker, result, refusal } = await listening(t)
  const params = { type: 'aidbox', list: [1, 2.5, 'é'] }
  const added = await result('awf.task/create-and-execute', {
    definition: 'import',
    params,
    label: 'weekly',
  })
  const { resource } = added
  const { meta } = resource
  assert.deepEqual(resource, {
    resourceType: 'AidboxTask',
    id: resource.id,
    definition: 'import',
    status: 'ready',
    params,
    label: 'weekly',
    meta,
  })
  assert.deepEqual(meta, {
    createdAt: meta.createdAt,
    lastUpdated: meta.createdAt,
    versionId: '1',
  })
  const task = await tasker.getTask(resource.id)
  assert.deepEqual(task.data, params)
  assert.equal(task.createdAt.toISOString(), meta.createdAt)
  assert.deepEqual(await result('awf.task/status', { id: resource.id }), { resource })

  const canceled = (await result('awf.task/cancel', { id: resource.id })).resource
  assert.deepEqual([canceled.status, canceled.outcome], ['done', 'canceled'])
  assert.equal(canceled.outcomeReason.type, 'awf.task/canceled')
  assert.ok(Number(canceled.meta.versionId) > 1)
  assert.equal((await tasker.getTask(resource.id)).cause, 'user')
  await refusal('awf.task/cancel', { id: resource.id }, 422, 'wrong-state')
})

test('what was added over HTTP is run and told as any other task', async t => {
  const { tasker, result } = await listening(t)
  tasker.assignRunner('import', ({ data, logger, progress }) => {
    logger.info('one', { n: 1 })
    progress(1, 2, 'rows')
    return { rows: data.rows * 2 }
  })
  const told = next(tasker, 'task.added')
  const params = { definition: 'import', params: { rows: 2 } }
  const { resource } = await result('awf.task/create-and-execute', params)
  assert.deepEqual(await told, [resource.id])
  await tasker.start()
  assert.deepEqual(await tasker.waitForTaskOutputData(resource.id), { rows: 4 })
  const id = resource.id
  const { resource: done, log } = await result('awf.task/status', { id, 'include-log': true })
  assert.deepEqual(
    [done.status, done.outcome, done.retryCount, done.result],
    ['done', 'succeeded', 1, { rows: 4 }],
  )
  assert.deepEqual(
    log.map(({ action }) => action),
    ['awf.task/start', 'awf.task/notify', 'awf.task/success'],
  )
  assert.deepEqual(log[1]['action-params'].fields, { n: 1 })
})

test('an error of a runner is told with its reason', async t => {
  const { tasker, result } = await listening(t)
  tasker.assignRunner('import', () => {
    throw Object.assign(new Error('no file'), { code: 'ENOENT' })
  })
  await tasker.start()
  const params = { definition: 'import', params: {} }
  const { resource } = await result('awf.task/create-and-execute', params)
  await assert.rejects(tasker.waitForTaskOutputData(resource.id))
  const failed = (await result('awf.task/status', { id: resource.id })).resource
  assert.deepEqual([failed.status, failed.outcome, failed.retryCount], ['done', 'failed', 1])
  assert.deepEqual(failed.outcomeReason, {
    type: 'awf.task/failed-by-executor',
    message: 'no file',
  })
  assert.deepEqual([failed.error.message, failed.error.code], ['no file', 'ENOENT'])
})

test('a start time is in UTC, and a task that has one waits for it', async t => {
  const { result } = await listening(t)
  const create = async executeAt =>
    (await result('awf.task/create-and-execute', { definition: 'a', params: {}, executeAt }))
      .resource
  const at = inAnHour()
  const waiting = await create(at.replace('Z', ''))
  assert.deepEqual([waiting.status, waiting.executeAt], ['waiting', at])
  assert.equal((await create('2023-05-04T15:30:43')).status, 'ready')
})

test("an id of the client's names its task, once", async t => {
  const { tasker, result, refusal } = await listening(t)
  for (const id of ['order-7', '819c2499-1303-4c0e-bf1e-bcca761bfbde', 'ünïcode 💡']) {
    const params = { definition: 'a', params: { id }, id }
    const { resource } = await result('awf.task/create-and-execute', params)
    assert.equal(resource.id, id)
    assert.deepEqual(await result('awf.task/status', { id }), { resource })
    await refusal('awf.task/create-and-execute', params, 409, 'id-taken')
    const [task, ...others] = await tasker.findTasks({ id })
    assert.deepEqual([task.data, others], [{ id }, []])
    // By its uuid too; a task of addTask that has such an id keeps its uuid as its name.
    assert.equal((await result('awf.task/status', { id: task.uuid })).resource.id, id)
    await refusal('awf.task/create-and-execute', { ...params, id: task.uuid }, 409, 'id-taken')
    await result('awf.task/cancel', { id })
  }
  const uuid = await tasker.addTask({ operation: 'a', id: 'own' })
  assert.equal((await result('awf.task/status', { id: uuid })).resource.id, uuid)
  await refusal('awf.task/status', { id: 'own' }, 422, 'unknown-task')
})

test('the retries of a task have the names of the API', async t => {
  const { tasker, result, refusal } = await listening(t)
  const create = settings => ({ definition: 'a', params: {}, ...settings })
  const added = async settings => {
    const { resource } = await result('awf.task/create-and-execute', create(settings))
    return (await tasker.getTask(resource.id)).retry
  }
  const fixed = await added({ allowedRetryCount: 3, retryDelay: 1500 })
  assert.deepEqual([fixed.attempts, fixed.backoff.type, fixed.backoff.delay], [3, 'fixed', 1500])
  assert.equal((await added({ allowedRetryCount: 0 })).attempts, 1)
  assert.equal((await added({ retryDelay: 0 })).attempts, 2)
  const settings = create({ inProgressTimeout: 1000, concurrencyLimit: 1 })
  const error = await refusal('awf.task/create-and-execute', settings, 422, 'invalid-params')
  assert.deepEqual(
    error.errors.map(({ path }) => path),
    ['params.inProgressTimeout', 'params.concurrencyLimit'],
  )
})

test('the settings of a definition have the names of the API', async t => {
  const { tasker, result } = await listening(t)
  await tasker.defineOperation('a', {
    concurrency: 4,
    retry: { attempts: 2, backoff: { type: 'fixed', delay: '10s' } },
  })
  const uuid = await tasker.addTask({ operation: 'a' })
  const { settings } = await result('awf.task/status', { id: uuid, 'include-settings': true })
  assert.deepEqual(settings, { allowedRetryCount: 2, retryDelay: 10_000, concurrencyLimit: 4 })
})

test('tasks are listed by what they are, newest first', async t => {
  const { tasker, result } = await listening(t)
  const runs = gate()
  tasker.assignRunner('run', runs.runner)
  tasker.assignRunner('fail', () => Promise.reject(new Error('x')))
  await tasker.start()
  const [running, failed, blocked, waiting, ready, done] = await tasker.addTasks([
    { operation: 'run' },
    { operation: 'fail' },
    { operation: 'later', dependsOn: [0] },
    { operation: 'later', delay: '1h', label: 'Über 100% [a]' },
    { operation: 'nobody', tags: ['x'] },
    { operation: 'nobody' },
  ])
  await runs.call(0)
  await assert.rejects(tasker.waitForTaskOutputData(failed))
  await tasker.abortTask(done)
  const list = async (filter, sort) =>
    (await result('awf.task/list', { filter, sort })).resources.map(({ id }) => id)
  const all = [running, failed, blocked, waiting, ready, done]
  assert.deepEqual(await list(), [...all].reverse())
  assert.deepEqual(await list({}, { createdAt: 'asc' }), all)
  for (const [filter, expected] of [
    [{ includeDefinitions: ['later', 'run'] }, [running, blocked, waiting]],
    [{ excludeDefinitions: ['later', 'nobody'] }, [running, failed]],
    [{ includeDefinitions: [] }, []],
    [{ status: 'created' }, [blocked]],
    [{ status: 'waiting' }, [waiting]],
    [{ status: 'ready' }, [ready]],
    [{ status: 'requested' }, []],
    [{ status: 'in-progress' }, [running]],
    [{ status: 'done' }, [failed, done]],
    [{ outcome: 'failed' }, [failed]],
    [{ outcome: 'canceled' }, [done]],
    [{ outcome: 'succeeded', status: 'done' }, []],
    [{ ilike: 'BODY' }, [ready, done]],
    [{ ilike: 'ÜBER%[a]' }, [waiting]],
    [{ ilike: '.' }, []],
  ]) {
    assert.deepEqual(await list(filter, { createdAt: 'asc' }), expected, JSON.stringify(filter))
  }
  runs.calls[0].resolve()
  await tasker.waitForTaskOutputData(running)
  // Of what changed within one millisecond, what was added later is the newer one.
  const { resources } = await result('awf.task/list', { sort: { createdAt: 'asc' } })
  const changed = resources.map(({ id, meta }) => [id, Date.parse(meta.lastUpdated)])
  assert.equal(Math.max(...changed.map(([, at]) => at)), new Map(changed).get(running))
  const oldest = changed.sort(([, one], [, other]) => one - other).map(([id]) => id)
  assert.deepEqual(await list({}, { lastUpdated: 'asc' }), oldest)
  assert.deepEqual(await list({}, { lastUpdated: 'desc' }), oldest.toReversed())
})

test('calls of an array are answered in order, each for itself', async t => {
  const { tasker, post } = await listening(t)
  const create = (id, more) => ({
    method: 'awf.task/create-and-execute',
    params: { definition: 'a', params: { id }, id, ...more },
  })
  const calls = Array.from({ length: 99 }, (_, n) => create(`t${n}`))
  calls.splice(7, 0, create('wrong', { definition: 7 }))
  const response = await post(JSON.stringify(calls))
  assert.equal(response.status, 200)
  const answers = await response.json()
  assert.equal(answers.length, 100)
  const [wrong] = answers.splice(7, 1)
  assert.deepEqual(
    answers.map(({ result }) => result.resource.id),
    Array.from({ length: 99 }, (_, n) => `t${n}`),
  )
  assert.deepEqual(
    [wrong.error.code, wrong.error.errors[0].path, 'result' in wrong],
    ['invalid-params', 'params.definition', false],
  )
  assert.equal(await tasker.countTasks({}), 99)
  const tooMany = await post(JSON.stringify([...calls, ...calls.slice(0, 1)]))
  assert.equal(tooMany.status, 413)
  assert.equal((await post('[]')).status, 400)
  const mixed = await (await post('[7,{"method":"awf.task/nothing"}]')).json()
  assert.deepEqual(
    mixed.map(({ error }) => error.code),
    ['unreadable', 'unknown-method'],
  )
})

test('what is wrong with params is told at once, with paths, and changes nothing', async t => {
  const { tasker, refusal } = await listening(t)
  const faults = async (method, params) => {
    const { errors } = await refusal(method, params, 422, 'invalid-params')
    for (const { message } of errors) assert.ok(message.length > 5, message)
    return errors.map(({ path }) => path)
  }
  const create = 'awf.task/create-and-execute'
  assert.deepEqual(await faults(create, undefined), ['params.definition', 'params.params'])
  assert.deepEqual(await faults(create, [1]), ['params'])
  assert.deepEqual(
    await faults(create, { definition: '', params: [], id: 7, label: {}, executeAt: 'soon' }),
    ['params.id', 'params.definition', 'params.params', 'params.label', 'params.executeAt'],
  )
  assert.deepEqual(await faults(create, { definition: 'a', params: {}, id: 'x'.repeat(256) }), [
    'params.id',
  ])
  const long = { definition: 'd'.repeat(256), params: {} }
  assert.deepEqual(await faults(create, long), ['params.definition'])
  const deep = JSON.parse(`${'['.repeat(128)}${']'.repeat(128)}`)
  assert.deepEqual(await faults(create, { definition: 'a', params: { deep } }), ['params.params'])
  assert.deepEqual(await faults('awf.task/status', {}), ['params.id'])
  assert.deepEqual(await faults('awf.task/status', { id: 'a', 'include-log': 'yes' }), [
    'params.include-log',
  ])
  assert.deepEqual(await faults('awf.task/list', { filter: { status: 'new' }, sort: [] }), [
    'params.filter.status',
    'params.sort',
  ])
  for (const id of ['unknown', '018f0000-0000-7000-8000-000000000001']) {
    await refusal('awf.task/status', { id }, 422, 'unknown-task')
    await refusal('awf.task/cancel', { id }, 422, 'unknown-task')
  }
  await refusal('awf.task/nothing', {}, 404, 'unknown-method')
  assert.equal(await tasker.countTasks({}), 0)
})

test('what nobody knows of the params is ignored', async t => {
  const { result } = await listening(t)
  const params = { definition: 'a', params: {}, context: 7, label: null }
  const { resource } = await result('awf.task/create-and-execute', params)
  assert.equal('label' in resource, false)
})

test('numbers and texts come back as they were given', async t => {
  const { post } = await listening(t)
  const data = '{"big":12345678901234567890,"e":1e400,"z":1.500,"__proto__":{"a":1},"u":"\\ud800"}'
  const call = params =>
    `{"method":"awf.task/create-and-execute","params":{"definition":"a",${params}}}`
  const response = await post(call(`"params":${data}`))
  const text = await response.text()
  assert.equal(response.status, 200, text)
  assert.ok(text.includes(`"params":${data}`), text)
})

test('a token that is confined sees and touches its own operations only', async t => {
  const token = 'x'.repeat(22)
  const all = 'y'.repeat(22)
  const { tasker, server } = await listening(
    t,
    {},
    {
      token: [
        { name: 'some', role: 'write', operations: ['mine'], token },
        { name: 'all', role: 'admin', token: all },
      ],
    },
  )
  const { result, refusal } = callsOf(server, token)
  const mine = await tasker.addTask({ operation: 'mine' })
  const other = await tasker.addTask({ operation: 'other' })
  assert.equal((await result('awf.task/status', { id: mine })).resource.id, mine)
  await refusal('awf.task/status', { id: other }, 422, 'unknown-task')
  await refusal('awf.task/cancel', { id: other }, 422, 'unknown-task')
  const create = { definition: 'other', params: {} }
  await refusal('awf.task/create-and-execute', create, 403, 'forbidden')
  const { resources } = await result('awf.task/list', {})
  assert.deepEqual(
    resources.map(({ id }) => id),
    [mine],
  )
  assert.equal((await tasker.getTask(other)).state, 'ready')
  assert.equal((await callsOf(server, all).result('awf.task/list', {})).resources.length, 2)
})
