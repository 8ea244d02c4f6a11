/** Executors of the Task Executor API: tasks are polled, begun, reported on and settled. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { callsOf, listening, request } from './http.mjs'
import { file, next, open, pending } from './open.mjs'

/** A tasker that listens, with an operation that executors take. */
async function executing(t, { operations = ['work'], executor = true, ...options } = {}) {
  const one = await listening(t, options)
  for (const name of operations) await one.tasker.defineOperation(name, { executor })
  const poll = async (params = {}) =>
    (await one.result('awf.task/poll', { taskDefinitions: operations, ...params })).resources
  return { ...one, poll }
}

const names = ({ id, execId }) => ({ id, execId })

test('what an executor says of its run is told to whoever listens, and is a change', async t => {
  const { tasker, result, poll } = await executing(t)
  const said = []
  tasker.on('task.progress', (id, report) => said.push([id, report]))
  tasker.on('task.log', (id, { at, ...line }) => said.push([id, line, at instanceof Date]))
  const uuid = await tasker.addTask({ operation: 'work' })
  const run = names((await poll())[0])
  const version = async () =>
    Number((await result('awf.task/status', { id: uuid })).resource.meta.versionId)
  await result('awf.task/start', run)
  const versions = [await version()]
  for (const more of [
    { notification: 'heartbeat' },
    { notification: 'progress', 'progress-current': 3, 'progress-total': 4 },
    { notification: 'heartbeat', message: 'half is done' },
  ]) {
    await result('awf.task/notify', { ...run, ...more })
    versions.push(await version())
  }
  assert.deepEqual(
    versions,
    [...new Set(versions)].sort((a, b) => a - b),
  )
  assert.deepEqual(said, [
    [uuid, { current: 3, total: 4 }],
    [uuid, { level: 'info', message: 'half is done', attempt: 1 }, true],
  ])
})

test('a task goes its way: ready, requested, in progress, done', async t => {
  const { tasker, result, refusal, poll } = await executing(t)
  const told = []
  for (const event of ['added', 'run', 'done', 'ended']) {
    tasker.on(`task.${event}`, () => told.push(event))
  }
  const data = { type: 'aidbox', input: { url: 'https://x/y' } }
  const uuid = await tasker.addTask({ operation: 'work', data, label: 'one' })
  const [polled, ...others] = await poll({ maxBatchSize: 10 })
  assert.deepEqual(others, [])
  const { meta, execId } = polled
  assert.deepEqual(polled, {
    resourceType: 'AidboxTask',
    id: uuid,
    execId,
    definition: 'work',
    status: 'requested',
    params: data,
    label: 'one',
    meta,
  })
  assert.equal((await tasker.getTask(uuid)).status, 'new')
  assert.deepEqual(await poll(), [])
  const run = names(polled)

  await refusal('awf.task/success', run, 422, 'wrong-state')
  const started = (await result('awf.task/start', run)).resource
  assert.deepEqual([started.status, started.execId, started.retryCount], ['in-progress', execId, 1])
  assert.equal((await tasker.getTask(uuid)).status, 'running')
  await refusal('awf.task/start', run, 422, 'wrong-state')

  const heard = await result('awf.task/notify', { ...run, notification: 'awf.task/heartbeat' })
  assert.ok(new Date(heard.inProgressTimeoutAt) > Date.now())
  assert.match(heard.inProgressTimeoutAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  const progress = { 'progress-current': 3, 'progress-total': 4, 'progress-unit': 'rows' }
  await result('awf.task/notify', { ...run, notification: 'progress', ...progress })
  assert.deepEqual((await tasker.getTask(uuid)).progress, { current: 3, total: 4, unit: 'rows' })
  const message = { notification: 'heartbeat', message: 'half is done' }
  await result('awf.task/notify', { ...run, ...message })
  assert.deepEqual(
    (await tasker.getTask(uuid, { withLogs: true })).logs.map(({ message }) => message),
    ['half is done'],
  )

  const done = (await result('awf.task/success', { ...run, result: { rows: 4 } })).resource
  assert.deepEqual([done.status, done.outcome, done.retryCount], ['done', 'succeeded', 1])
  assert.deepEqual([done.execId, done.result], [execId, { rows: 4 }])
  assert.deepEqual(await tasker.waitForTaskOutputData(uuid), { rows: 4 })
  await refusal('awf.task/success', run, 422, 'wrong-exec-id')
  const versions = [polled, started, done].map(({ meta }) => Number(meta.versionId))
  assert.ok(1 < versions[0] && versions[0] < versions[1] && versions[1] < versions[2], versions)
  assert.deepEqual(told, ['added', 'run', 'done', 'ended'])
  const { log } = await result('awf.task/status', { id: uuid, 'include-log?': true })
  assert.deepEqual(
    log.map(({ action }) => action),
    ['awf.task/start', 'awf.task/notify', 'awf.task/success'],
  )
})

test('a result may be anything, or nothing', async t => {
  const { tasker, result, poll } = await executing(t)
  for (const given of [undefined, null, 'text', 0, [1, { a: 2 }], { big: 1e300 }]) {
    const uuid = await tasker.addTask({ operation: 'work' })
    const [task] = await poll()
    await result('awf.task/start', names(task))
    const { resource } = await result('awf.task/success', { ...names(task), result: given })
    assert.deepEqual(resource.result, given)
    assert.deepEqual(await tasker.waitForTaskOutputData(uuid), given)
  }
})

test('a fail is final by default, and keeps the error that was given', async t => {
  const { tasker, result, poll } = await executing(t)
  const failed = async more => {
    const uuid = await tasker.addTask({ operation: 'work' })
    const [task] = await poll()
    await result('awf.task/start', names(task))
    const { resource } = await result('awf.task/fail', { ...names(task), ...more })
    assert.deepEqual([resource.status, resource.outcome], ['done', 'failed'])
    assert.deepEqual(resource.outcomeReason, {
      type: 'awf.task/failed-by-executor',
      message: 'Failed by executor',
    })
    const error = await tasker.waitForTaskOutputData(uuid).catch(error => error)
    assert.ok(error instanceof Error)
    return [resource.error, error.name, error.message, error.error]
  }
  const given = { message: 'no such file', code: 7 }
  assert.deepEqual(await failed({ error: given }), [given, 'ExecutorError', 'no such file', given])
  assert.deepEqual(await failed({ error: 'text' }), ['text', 'ExecutorError', 'text', 'text'])
  // The usual client says it so.
  assert.deepEqual(await failed({ result: {} }), [{}, 'ExecutorError', 'Failed by executor', {}])
  const none = { message: 'Failed by executor' }
  assert.deepEqual(await failed({}), [none, 'ExecutorError', none.message, undefined])
})

test('a fail is tried again where the operation says so', async t => {
  const executor = { retryOnFail: true }
  const { tasker, result, poll } = await executing(t, { executor })
  await tasker.defineOperation('work', { executor, retry: { attempts: 2 } })
  const uuid = await tasker.addTask({ operation: 'work' })
  const execIds = new Set()
  for (const expected of ['ready', 'done']) {
    const [task] = await poll()
    execIds.add(task.execId)
    await result('awf.task/start', names(task))
    const { resource } = await result('awf.task/fail', names(task))
    assert.equal(resource.status, expected)
  }
  assert.equal(execIds.size, 2)
  assert.equal((await tasker.getTask(uuid)).attempt, 2)
})

test('a task of a client has its id in each call', async t => {
  const { result, poll } = await executing(t)
  for (const id of ['order/7', 'c578a224-c1fa-44c1-bc7a-9d2e624b872b']) {
    await result('awf.task/create-and-execute', { definition: 'work', params: {}, id })
    const [task] = await poll()
    assert.equal(task.id, id)
    await result('awf.task/start', names(task))
    assert.equal((await result('awf.task/success', names(task))).resource.id, id)
  }
})

test('what names no run is refused and changes nothing', async t => {
  const { tasker, result, refusal, poll } = await executing(t)
  const uuid = await tasker.addTask({ operation: 'work' })
  const other = await tasker.addTask({ operation: 'work' })
  const [task, second] = await poll({ maxBatchSize: 2 })
  const methods = ['awf.task/start', 'awf.task/success', 'awf.task/fail']
  for (const method of methods) {
    const wrong = { id: uuid, execId: second.execId }
    await refusal(method, wrong, 422, 'wrong-exec-id')
    await refusal(method, { ...wrong, execId: 'none' }, 422, 'wrong-exec-id')
    const unknown = { id: '018f0000-0000-7000-8000-000000000001', execId: task.execId }
    await refusal(method, unknown, 422, 'unknown-task')
    await refusal(method, { ...unknown, id: 'unknown' }, 422, 'unknown-task')
    const { errors } = await refusal(method, { id: 7 }, 422, 'invalid-params')
    assert.deepEqual(
      errors.map(({ path }) => path),
      ['params.id', 'params.execId'],
    )
  }
  const notify = { ...names(task), notification: 'hello' }
  const { errors } = await refusal('awf.task/notify', notify, 422, 'invalid-params')
  assert.equal(errors[0].path, 'params.notification')
  await refusal(
    'awf.task/notify',
    { ...names(task), notification: 'progress' },
    422,
    'invalid-params',
  )
  for (const id of [uuid, other]) assert.equal((await tasker.getTask(id)).state, 'claimed')
  await result('awf.task/start', names(task))
})

test('a task that was canceled is taken from its executor', async t => {
  const { tasker, result, refusal, poll } = await executing(t)
  const [claimed, running] = await tasker.addTasks([{ operation: 'work' }, { operation: 'work' }])
  const tasks = await poll({ maxBatchSize: 2 })
  const second = names(tasks.find(({ id }) => id === running))
  await result('awf.task/start', second)
  for (const id of [claimed, running]) {
    const { resource } = await result('awf.task/cancel', { id })
    assert.deepEqual([resource.status, resource.outcome], ['done', 'canceled'])
  }
  await refusal('awf.task/success', second, 422, 'wrong-exec-id')
  await refusal('awf.task/start', names(tasks[0]), 422, 'wrong-exec-id')
  await refusal('awf.task/cancel', { id: running }, 422, 'wrong-state')
})

test('two that report the same run in one request: the second is refused', async t => {
  const { tasker, result, post, poll } = await executing(t)
  await tasker.addTask({ operation: 'work' })
  const [task] = await poll()
  await result('awf.task/start', names(task))
  const success = { method: 'awf.task/success', params: names(task) }
  const answers = await (await post(JSON.stringify([success, success]))).json()
  assert.deepEqual(answers.map(answer => Object.keys(answer)[0]).sort(), ['error', 'result'])
})

test('a poll that waits gets what is added, in the order of the queue', async t => {
  const { tasker, server, result } = await executing(t, { operations: ['work', 'other'] })
  const wait = taskDefinitions =>
    result('awf.task/long-poll', { taskDefinitions, maxBatchSize: 2, timeout: 600_000 })
  const waiting = wait(['work'])
  // Of two that wait for it one gets a task; the other waits on.
  const second = wait(['work'])
  const uuids = await tasker.addTasks([
    { operation: 'other', priority: 9 },
    { operation: 'work', priority: 1 },
    { operation: 'work', priority: 2 },
  ])
  const got = (await Promise.race([waiting, second])).resources
  assert.deepEqual(
    got.map(({ id }) => id),
    [uuids[2], uuids[1]],
  )
  await server.close()
  // A server that closes answers with an empty list.
  const both = await Promise.all([waiting, second])
  assert.deepEqual(both.map(({ resources }) => resources.length).sort(), [0, 2])
})

test('a poll ends with an empty list when its time is over', async t => {
  const { result } = await executing(t)
  for (const timeout of [0, 1, 50]) {
    const waited = result('awf.task/long-poll', { taskDefinitions: ['work'], timeout })
    assert.deepEqual(await waited, { resources: [] })
  }
})

test('a poll without a list gets what the token may have; workflows bring nothing', async t => {
  const { tasker, server, result, poll } = await executing(t, { operations: ['a', 'b'] })
  await tasker.addTasks([{ operation: 'a' }, { operation: 'b' }, { operation: 'runner' }])
  const workflows = { taskDefinitions: undefined, workflowDefinitions: ['a'] }
  assert.deepEqual(await poll(workflows), [])
  assert.deepEqual(await poll({ taskDefinitions: [] }), [])
  const all = (await result('awf.task/poll', { maxBatchSize: 9 })).resources
  assert.deepEqual(
    all.map(({ definition }) => definition),
    ['a', 'b'],
  )
  await server.close()
  const token = 'x'.repeat(22)
  const tokens = [{ name: 'only-b', role: 'executor', operations: ['b'], token }]
  const confined = await tasker.listen({ port: 0, token: tokens })
  const calls = callsOf(confined, token)
  await tasker.addTasks([{ operation: 'a' }, { operation: 'b' }])
  const { resources } = await calls.result('awf.task/poll', { maxBatchSize: 9 })
  assert.deepEqual(
    resources.map(({ definition }) => definition),
    ['b'],
  )
  await calls.refusal('awf.task/poll', { taskDefinitions: ['a'] }, 403, 'forbidden')
  await calls.refusal('awf.task/start', names(all[0]), 422, 'unknown-task')
  await calls.result('awf.task/start', names(resources[0]))
})

/** Connections whose polls wait. */
const waiting = (server, count) => {
  const params = { taskDefinitions: ['work'], timeout: 600_000 }
  const body = JSON.stringify({ method: 'awf.task/long-poll', params })
  const one = () =>
    new Promise(resolve => {
      const socket = connect(server.port, '127.0.0.1', () => {
        socket.write(request(server, { body }), () => resolve(socket))
      })
      socket.on('error', () => {})
      socket.resume()
    })
  return Promise.all(Array.from({ length: count }, one))
}

/** Hangs up; resolves when the server has, too. */
const hangUp = socket =>
  new Promise(resolve => {
    socket.once('close', resolve)
    socket.end()
  })

/** A server that has hung up may not have told the engine yet that nobody waits any more. */
const untilNobodyWaits = async tasker => {
  while ((await tasker.metrics()).process.polls > 0);
}

test('a poll whose caller has hung up gets no task', async t => {
  const { tasker, server, poll } = await executing(t, { executor: { claimTimeout: '1h' } })
  for (let n = 0; n < 10; n += 1) {
    const sockets = await waiting(server, 3)
    await Promise.all(sockets.map(hangUp))
    await untilNobodyWaits(tasker)
    const uuid = await tasker.addTask({ operation: 'work' })
    const [task] = await poll()
    assert.equal(task.id, uuid)
  }
})

test('a task comes back that was on its way to a caller who hung up', async t => {
  const { tasker, result, server } = await executing(t, { executor: { claimTimeout: 50 } })
  for (let n = 0; n < 10; n += 1) {
    const sockets = await waiting(server, 3)
    const adding = tasker.addTask({ operation: 'work' })
    await Promise.all(sockets.map(hangUp))
    const uuid = await adding
    const params = { taskDefinitions: ['work'], timeout: 600_000 }
    for (;;) {
      const [task] = (await result('awf.task/long-poll', params)).resources
      assert.equal(task.id, uuid)
      const { resource } = await result('awf.task/start', names(task)).catch(() => ({}))
      if (!resource) continue
      await result('awf.task/success', names(task))
      break
    }
  }
})

test('executors beside each other get each task once', async t => {
  const { tasker, result, poll } = await executing(t)
  const count = 400
  await tasker.addTasks(Array.from({ length: count }, (_, n) => ({ operation: 'work', data: n })))
  const seen = []
  const execute = async () => {
    for (;;) {
      const tasks = await poll({ maxBatchSize: 7 })
      if (tasks.length === 0) return
      await Promise.all(
        tasks.map(async task => {
          seen.push(task.params)
          await result('awf.task/start', names(task))
          await result('awf.task/success', names(task))
        }),
      )
    }
  }
  await Promise.all(Array.from({ length: 8 }, execute))
  assert.deepEqual(
    seen.sort((a, b) => a - b),
    Array.from({ length: count }, (_, n) => n),
  )
  assert.equal(await tasker.countTasks({ status: 'done' }), count)
})

test('any process serves what another has given out, and a lease outlives it', async t => {
  const store = file()
  const one = await executing(t, { store })
  const two = await listening(t, { store })
  const waiting = two.result('awf.task/long-poll', { taskDefinitions: ['work'], timeout: 600_000 })
  const uuid = await one.tasker.addTask({ operation: 'work' })
  const [task] = (await waiting).resources
  assert.equal(task.id, uuid)
  await two.server.close()
  await two.tasker.close()
  await one.result('awf.task/start', names(task))
  await one.tasker.close()
  const three = open(t, { store })
  const server = await three.listen({ port: 0 })
  const { result } = callsOf(server)
  await result('awf.task/notify', { ...names(task), notification: 'heartbeat' })
  assert.equal((await result('awf.task/success', names(task))).resource.outcome, 'succeeded')
})

test('a task of which nothing is heard is tried again, and then failed', async t => {
  const executor = { claimTimeout: 20, lease: 20 }
  const { tasker, result, refusal, poll } = await executing(t, { executor })
  await tasker.defineOperation('work', { executor, retry: { attempts: 2 } })
  const uuid = await tasker.addTask({ operation: 'work' })
  const ended = next(tasker, 'task.ended')
  const claims = []
  while (claims.length < 2) {
    const waiting = { taskDefinitions: ['work'], timeout: 600_000 }
    const [task] = (await result('awf.task/long-poll', waiting)).resources
    // Whoever comes too late to begin hears so, and the attempt does not count.
    const { status } = await result('awf.task/start', names(task)).then(
      () => ({ status: 200 }),
      () => ({ status: 422 }),
    )
    if (status === 200) claims.push(task)
  }
  await ended
  const { resource } = await result('awf.task/status', { id: uuid })
  assert.deepEqual([resource.outcome, resource.retryCount], ['failed', 2])
  assert.equal(resource.outcomeReason.type, 'awf.task/failed-due-to-in-progress-timeout')
  for (const claim of claims) {
    await refusal('awf.task/success', names(claim), 422, 'wrong-exec-id')
  }
  assert.deepEqual(await poll(), [])
})

test('a poll of a tasker that closes brings no task, and no error', async t => {
  const { tasker, server, result } = await executing(t)
  const waiting = result('awf.task/long-poll', { taskDefinitions: ['work'], timeout: 600_000 })
  // It waits by now, or comes to a closed door.
  const closed = tasker.close()
  const answer = await waiting.catch(error => error)
  if (!(answer instanceof Error)) assert.deepEqual(answer, { resources: [] })
  await closed
  await assert.rejects(fetch(server.url))
})

/** The params of the task of the page. */
const SAMPLE = {
  type: 'aidbox',
  input: {
    url: 'https://storage.googleapis.com/aidbox-public/synthea/100/Organization.ndjson.gz',
    resourceType: 'Organization',
  },
}

test('the six requests of the page of the API, as they stand there', async t => {
  const definition = 'aidbox.bulk/import-resource-task'
  const { tasker, post } = await executing(t, { operations: [definition] })
  const data = SAMPLE
  const yaml = { 'content-type': 'text/yaml', accept: 'text/yaml' }
  /** The answer to a request of the page: what stands in it, a member a line. */
  const send = async body => {
    const response = await post(body, yaml)
    const text = await response.text()
    assert.deepEqual(
      [response.status, response.headers.get('content-type')],
      [200, 'text/yaml; charset=utf-8'],
    )
    return name => new RegExp(`^[ -]*${name}: "?(.*?)"?$`, 'm').exec(text)?.[1]
  }
  const add = () => tasker.addTask({ operation: definition, data })
  const ids = await Promise.all([add(), add()])

  const polled = await send(`
method: awf.task/poll
params:
    taskDefinitions: [aidbox.bulk/import-resource-task]
`)
  assert.deepEqual([polled('status'), polled('definition')], ['requested', definition])
  assert.deepEqual([polled('url'), polled('id')], [data.input.url, ids[0]])
  const waited = await send(`
method: awf.task/long-poll
params:
    timeout: 50000
    taskDefinitions: [aidbox.bulk/import-resource-task]
`)
  assert.deepEqual([waited('status'), waited('id')], ['requested', ids[1]])
  const runs = [polled, waited].map(of => `id: ${of('id')}\n    execId: ${of('execId')}`)
  for (const run of runs) {
    const started = await send(`
method: awf.task/start
params:
    ${run}
`)
    assert.deepEqual([started('status'), started('retryCount')], ['in-progress', '1'])
  }
  const heard = await send(`
method: awf.task/notify
params:
    ${runs[0].replace('execId: ', 'execId:   ')}
    notification: awf.task/heartbeat
    message: "task is alive"
`)
  assert.ok(new Date(heard('inProgressTimeoutAt')) > Date.now())
  const done = await send(`
method: awf.task/success
params:
    ${runs[0]}
`)
  assert.deepEqual([done('status'), done('outcome')], ['done', 'succeeded'])
  const failed = await send(`
method: awf.task/fail
params:
    ${runs[1]}
`)
  assert.deepEqual(
    [failed('status'), failed('outcome'), failed('message'), failed('retryCount')],
    ['done', 'failed', 'Failed by executor', '1'],
  )
})

test('A-4, A-15: connections and polls have their limits, and room comes back', async t => {
  const tokens = ['a', 'b'].map(name => ({ name, role: 'admin', token: name.repeat(22) }))
  const { tasker, server } = await listening(t, {}, { token: tokens })
  await tasker.defineOperation('work', { executor: true })
  const params = { taskDefinitions: ['work'], timeout: 600_000 }
  const body = JSON.stringify({ method: 'awf.task/long-poll', params })
  const refused = pending()
  const sockets = []
  let isFull = false
  /** One more connection whose poll waits, or that is told that there is no room. */
  const open = token =>
    new Promise(resolve => {
      const socket = connect(server.port, '127.0.0.1', () => {
        socket.write(request({ ...server, token }, { body }))
        resolve()
      })
      socket.once('data', data => {
        isFull = true
        refused.resolve(String(data))
      })
      socket.on('error', () => {})
      sockets.push(socket)
    })
  // Nobody has tasks for them, so each that is let in waits.
  for (let n = 0; n < 2_048; n += 1) await open(tokens[n % 2].token)
  while (!isFull) await open(tokens[0].token)
  assert.match(await refused.promise, /^HTTP\/1\.1 503 /)
  for (const socket of sockets) socket.destroy()
  const { result } = callsOf(server, tokens[0].token)
  const uuid = await tasker.addTask({ operation: 'work' })
  for (;;) {
    const [task] = await result('awf.task/poll', { taskDefinitions: ['work'] }).then(
      ({ resources }) => resources,
      () => [],
    )
    if (!task) continue
    assert.equal(task.id, uuid)
    break
  }
})
