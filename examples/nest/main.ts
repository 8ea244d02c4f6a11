import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { TasksModule } from './tasks.module.js'
import { ThumbnailsController } from './thumbnails.controller.js'

@Module({ imports: [TasksModule], controllers: [ThumbnailsController] })
class AppModule {}

const app = await NestFactory.create(AppModule)
app.enableShutdownHooks() // Without it SIGTERM calls no onApplicationShutdown.
const { PORT = '3000', HOST = '127.0.0.1' } = process.env
await app.listen(PORT, HOST)
console.log(`listening on ${await app.getUrl()}`)
