"""The tables of the microblog."""

from .follow import Follow
from .post import Post
from .task import Task, TaskState
from .thread import Comment, Thread, Topic
from .user import User

__all__ = ["Comment", "Follow", "Post", "Task", "TaskState", "Thread", "Topic", "User"]
