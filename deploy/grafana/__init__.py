"""What people look at: dashboards as data, written out as the JSON that Grafana reads."""
