"""The tables of the microblog."""

from .follow import Follow
from .post import Post
from .task import Task, TaskState
from .user import User

__all__ = ["Follow", "Post", "Task", "TaskState", "User"]
