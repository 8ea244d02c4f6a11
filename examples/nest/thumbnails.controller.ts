import {
  BadRequestException,
  Body,
  Controller,
  Get,
  HttpCode,
  NotFoundException,
  Param,
  Post,
} from '@nestjs/common'
import { Tasks } from './tasks.module.js'

@Controller('thumbnails')
export class ThumbnailsController {
  constructor(private readonly tasks: Tasks) {}

  @Post()
  @HttpCode(202)
  async add(@Body() body: { image?: unknown; widths?: unknown }) {
    const { image, widths } = body ?? {}
    if (typeof image !== 'string' || !Array.isArray(widths)) {
      throw new BadRequestException('image and widths are required')
    }
    return { uuid: await this.tasks.addTask({ operation: 'thumbnails', data: { image, widths } }) }
  }

  @Get(':uuid')
  async show(@Param('uuid') uuid: string) {
    const task = await this.tasks.findTask({ uuid })
    if (!task) throw new NotFoundException()
    const { status, progress, result, error } = task
    return { uuid, status, progress, result, error: error?.message }
  }
}
