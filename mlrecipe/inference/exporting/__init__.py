"""What leaves a project: model folders, repositories of the hub, submissions to GLUE."""
