"""Sections: the parts of a report's page, each made of its facts."""
