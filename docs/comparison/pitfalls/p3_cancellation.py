import asyncio
import logging

logger = logging.getLogger(__name__)


async def has_no_clean_up() -> None:
    while True:
        await asyncio.sleep(1)
        logger.info("tick")


async def swallows_cancellation() -> None:
    while True:
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            logger.info("cancelled")


async def catches_everything() -> None:
    while True:
        try:
            await asyncio.sleep(1)
        except:
            logger.exception("failed")
